// Solana wallets: messages by the server and by @solana/wallet-standard-util, signed by @solana/web3.js with tweetnacl and
// by @noble/curves, plain and in the envelopes of @solana/offchain-messages.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ed25519 } from "@noble/curves/ed25519.js";
import { createSignInMessageText, parseSignInMessageText, verifySignIn } from "@solana/wallet-standard-util";
import { Keypair } from "@solana/web3.js";
import base58 from "bs58";
import nacl from "tweetnacl";

import { legacy, v0, v1 } from "../envelopes.mjs";
import { accepted, challengeFor, flipped, hex, inSeconds, post, refused, site, utf8 } from "../server.mjs";

const pair = Keypair.generate();
const address = pair.publicKey.toBase58();
const publicKey = pair.publicKey.toBytes();
const stranger = Keypair.generate();
const strangerAddress = stranger.publicKey.toBase58();
const mainnet = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp";
const devnet = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";

const signers = {
  tweetnacl: (bytes) => nacl.sign.detached(bytes, pair.secretKey),
  "@noble/curves": (bytes) => ed25519.sign(bytes, pair.secretKey.slice(0, 32)),
};

const fields = (nonce) => ({ domain: site.domain, address, nonce, issuedAt: inSeconds(0) });
const writers = {
  "the server": [mainnet, (nonce, message) => message],
  "wallet-standard-util": [mainnet, (nonce) => createSignInMessageText(fields(nonce))],
  "wallet-standard-util, every field": [devnet, (nonce) => createSignInMessageText({
    ...fields(nonce), statement: "Sign in: “100 %” für 日本 👩‍🚀, no cost.", uri: site.uri, version: "1", chainId: "devnet",
    expirationTime: inSeconds(300), notBefore: inSeconds(-10), requestId: "a-1:2@3", resources: ["https://app.example.com/terms?v=2#top"],
  })],
  "wallet-standard-util, chain with namespace": [devnet, (nonce) => createSignInMessageText({ ...fields(nonce), chainId: "solana:devnet" })],
};

const encodings = { hex, base58: base58.encode, base64: (bytes) => Buffer.from(bytes).toString("base64") };

/** How the signed bytes come about: plain text, or an envelope around it. */
const wrappings = {
  "plain text": null,
  "plain text, sent as signed_message too": utf8,
  "the legacy envelope": (text) => legacy(text),
  "the legacy envelope, format 2": (text) => legacy(text, 2),
  "envelope version 0": (text) => v0(text, [address]),
  "envelope version 0, format 2": (text) => v0(text, [address], 2),
  "envelope version 0 with two signers": (text) => v0(text, [strangerAddress, address]),
  "envelope version 1": (text) => v1(text, [address]),
  "envelope version 1 with two signers": (text) => v1(text, [address, strangerAddress]),
};

for (const [author, [chain, write]] of Object.entries(writers)) {
  for (const [signer, sign] of Object.entries(signers)) {
    for (const [encoding, encode] of Object.entries(encodings)) {
      test(`message by ${author}, signed by ${signer}, in ${encoding}`, async () => {
        const { challenge, message: served } = await challengeFor(address, { domain: site.domain });
        const message = write(challenge, served);
        const signature = encode(sign(utf8(message)));
        const request = { algorithm: "Ed25519", address, challenge, message, signature, encoding };
        const claims = await accepted(request, address);
        assert.equal(claims.account, `${chain}:${address}`);
        assert.match(claims.wallet_id, /^[\w-]{43}$/);
      });
    }
  }
}

for (const [wrapping, wrap] of Object.entries(wrappings)) {
  for (const [encoding, encode] of Object.entries(encodings)) {
    test(`signed in ${wrapping}, in ${encoding}`, async () => {
      await accepted(await signIn({ wrap, encoding, encode }), address);
    });
  }
}

test("the library reads the server's message as it was meant", async () => {
  const { challenge, message } = await challengeFor(address, { domain: site.domain, chain_id: devnet });
  const read = parseSignInMessageText(message);
  assert.deepEqual([read.domain, read.address, read.nonce, read.uri, read.version, read.chainId],
    [site.domain, address, challenge, "https://app.example.com", "1", "devnet"]);
  const signedMessage = utf8(message);
  assert.ok(verifySignIn(read, { account: { publicKey }, signedMessage, signature: signers.tweetnacl(signedMessage) }));
});

/**
 * A sign-in that is right, but for the changes: of fields before the message is made, of the text before it is signed, of
 * the signed bytes, of the request after.
 */
async function signIn({ change = {}, text = (t) => t, wrap = null, sign = signers.tweetnacl, encoding, encode = hex, after = (r) => r } = {}) {
  const { challenge } = await challengeFor(address);
  const message = text(createSignInMessageText({ ...fields(challenge), uri: site.uri, version: "1", chainId: "mainnet", ...change }));
  const signed = wrap ? wrap(message) : utf8(message);
  const envelope = wrap && { signed_message: encode(signed) };
  return after({ algorithm: "Ed25519", address, challenge, message, signature: encode(sign(signed)), encoding, ...envelope });
}

const resigned = (make) => ({ after: (r) => ({ ...r, signature: hex(make(Buffer.from(r.signature, "hex"))) }) });
const without = (...names) => ({ after: (r) => ({ ...r, ...Object.fromEntries(names.map((name) => [name, undefined])) }) });

for (const [name, changes] of [
  ["without address and challenge", without("address", "challenge")],
  ["with its public key", { after: (r) => ({ ...r, public_key: hex(publicKey) }) }],
  ["with the envelope alone", { wrap: (t) => v1(t, [address]), ...without("address", "challenge", "message") }],
]) {
  test(`accepted ${name}`, async () => accepted(await signIn(changes), address));
}

/** The signature with the order added to its s: the same equation, another signature. */
function malleated(signature) {
  const order = ed25519.Point.CURVE().n;
  const s = BigInt("0x" + hex(signature.subarray(32).toReversed())) + order;
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse()]);
}

const inV0 = { wrap: (t) => v0(t, [address]) };
const inV1 = { wrap: (t) => v1(t, [address]) };

for (const [name, changes, status, code] of [
  ["a letter of the message changed after signing", { after: (r) => ({ ...r, message: r.message.replace("sign-in", "sign-on") }) }, 401, "invalid_signature"],
  ["R changed", resigned((s) => flipped(s, 3)), 401, "invalid_signature"],
  ["s changed", resigned((s) => flipped(s, 40)), 401, "invalid_signature"],
  ["s above the order", resigned(malleated), 401, "invalid_signature"],
  ["all zeros", resigned(() => new Uint8Array(64)), 401, "invalid_signature"],
  ["a byte too few", resigned((s) => s.subarray(1)), 401, "wrong_length"],
  ["a byte too many", resigned((s) => Buffer.concat([s, s.subarray(0, 1)])), 401, "wrong_length"],
  ["attached, as nacl.sign does it", { after: (r) => ({ ...r, signature: hex(nacl.sign(utf8(r.message), pair.secretKey)) }) }, 401, "wrong_length"],
  ["another's signature", { sign: (bytes) => nacl.sign.detached(bytes, stranger.secretKey) }, 401, "invalid_signature"],
  ["no hex", { after: (r) => ({ ...r, signature: base58.encode(Buffer.from(r.signature, "hex")) }) }, 400, "invalid_encoding"],
  ["no base58", { after: (r) => ({ ...r, encoding: "base58", signature: "0OIl" }) }, 400, "invalid_encoding"],
  ["no base64", { after: (r) => ({ ...r, encoding: "base64", signature: "_-_-" }) }, 400, "invalid_encoding"],
  ["another's key beside the address", { after: (r) => ({ ...r, public_key: hex(stranger.publicKey.toBytes()) }) }, 401, "invalid_signature"],
  ["another's key, and signed with it", { sign: (bytes) => nacl.sign.detached(bytes, stranger.secretKey), after: (r) => ({ ...r, public_key: hex(stranger.publicKey.toBytes()) }) }, 400, "address_mismatch"],
  ["another address in the request", { after: (r) => ({ ...r, address: strangerAddress }) }, 400, "address_mismatch"],
  ["another address in both", { change: { address: strangerAddress }, after: (r) => ({ ...r, address: strangerAddress }) }, 401, "challenge_of_another_address"],
  ["an address of 31 bytes", { change: { address: base58.encode(publicKey.subarray(1)) } }, 400, "malformed_message"],
  ["another nonce", { change: { nonce: "0".repeat(64) }, ...without("challenge") }, 401, "invalid_challenge"],
  ["no nonce", { change: { nonce: undefined }, ...without("challenge") }, 400, "malformed_message"],
  ["no issue time", { change: { issuedAt: undefined } }, 400, "malformed_message"],
  ["another challenge beside the message", { after: (r) => ({ ...r, challenge: "0".repeat(64) }) }, 400, "challenge_mismatch"],
  ["another domain", { change: { domain: "evil.example.com" } }, 401, "domain_mismatch"],
  ["a scheme before the domain", { change: { domain: "https://" + site.domain } }, 400, "malformed_message"],
  ["another URI", { change: { uri: "https://evil.example.com" } }, 401, "uri_mismatch"],
  ["another chain", { change: { chainId: "testnet" } }, 401, "chain_not_allowed"],
  ["a chain that is none", { change: { chainId: "solana:mainnet-beta" } }, 400, "malformed_message"],
  ["expired", { change: { expirationTime: inSeconds(-120) } }, 401, "message_expired"],
  ["not yet valid", { change: { notBefore: inSeconds(300) } }, 401, "message_not_yet_valid"],
  ["issued in the future", { change: { issuedAt: inSeconds(300) } }, 401, "issued_at_out_of_range"],
  ["issued long ago", { change: { issuedAt: inSeconds(-3600) } }, 401, "issued_at_out_of_range"],
  ["lines that end with CR LF", { text: (t) => t.replaceAll("\n", "\r\n") }, 400, "malformed_message"],
  ["a line feed at the end", { text: (t) => t + "\n" }, 400, "malformed_message"],
  ["no message", without("message"), 400, "message_required"],
  ["the envelope of another text", { ...inV1, after: (r) => ({ ...r, message: r.message.replace("sign-in", "sign-on") }) }, 400, "malformed_message"],
  ["an envelope left out", { ...inV1, ...without("signed_message") }, 401, "invalid_signature"],
  ["an envelope around what was signed plain", { after: (r) => ({ ...r, signed_message: hex(v1(r.message, [address])) }) }, 401, "invalid_signature"],
  ["another envelope than was signed", { ...inV1, after: (r) => ({ ...r, signed_message: hex(legacy(r.message)) }) }, 401, "invalid_signature"],
  ["an envelope for another signer, version 0", { wrap: (t) => v0(t, [strangerAddress]) }, 400, "address_mismatch"],
  ["an envelope for another signer, version 1", { wrap: (t) => v1(t, [strangerAddress]) }, 400, "address_mismatch"],
  ["a truncated envelope, version 0", { wrap: (t) => inV0.wrap(t).subarray(0, -1), ...without("message") }, 400, "malformed_message"],
  ["an envelope with a byte more, version 0", { wrap: (t) => Buffer.concat([inV0.wrap(t), utf8("x")]) }, 400, "malformed_message"],
  ["an envelope with a byte more, version 1", { wrap: (t) => Buffer.concat([inV1.wrap(t), utf8("x")]) }, 400, "malformed_message"],
  ["an envelope of version 2", { wrap: (t) => flipped(inV1.wrap(t), 16, 3) }, 400, "malformed_message"],
  ["lines in format 0, the ASCII of one line", { wrap: (t) => legacy(t, 0) }, 400, "malformed_message"],
  ["a text too long for format 1", { change: { statement: "x".repeat(1300) }, wrap: (t) => legacy(t, 1) }, 400, "malformed_message"],
  ["signers of version 1 not in order", { wrap: (t) => unsorted(t) }, 400, "malformed_message"],
  ["a transaction in place of a message", { wrap: (t) => Buffer.concat([Buffer.from([1, 0, 0, 1]), publicKey, utf8(t)]), ...without("message") }, 400, "malformed_message"],
  ["another algorithm", { after: (r) => ({ ...r, algorithm: "eip191" }) }, 400, "invalid_address"],
]) {
  test(`refused: ${name}`, async () => refused(await signIn(changes), status, code));
}

/** An envelope of version 1 whose two signers stand in the wrong order. */
function unsorted(text) {
  const envelope = v1(text, [address, strangerAddress]);
  const [first, second] = [envelope.subarray(18, 50), envelope.subarray(50, 82)];
  return Buffer.concat([envelope.subarray(0, 18), second, first, envelope.subarray(82)]);
}

test("refused: keys of low order, for which anybody can sign", async () => {
  const systemProgram = "11111111111111111111111111111111";
  const { challenge } = await challengeFor(systemProgram);
  const message = createSignInMessageText({ ...fields(challenge), address: systemProgram });
  const signature = hex(Buffer.concat([new Uint8Array(32), new Uint8Array(32)]));
  await refused({ algorithm: "Ed25519", address: systemProgram, challenge, message, signature }, 401, "low_order_key");
});

test("refused: signed in twice with one message", async () => {
  const request = await signIn();
  await accepted(request, address);
  await refused(request, 401, "invalid_challenge");
});

test("refused: another's nonce", async () => {
  const { challenge } = await challengeFor(strangerAddress);
  const message = createSignInMessageText(fields(challenge));
  await refused({ algorithm: "Ed25519", address, challenge, message, signature: hex(signers.tweetnacl(utf8(message))) }, 401, "challenge_of_another_address");
});

test("no challenge for a chain that is not allowed", async () => {
  const { status, body } = await post("/challenge", { address, chain_id: "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z" });
  assert.deepEqual([status, body.code], [400, "chain_not_allowed"]);
});
