// Ethereum wallets: messages of EIP-4361 by viem, siwe and the server, signed by viem, ethers and @noble/curves.

import assert from "node:assert/strict";
import { test } from "node:test";

import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import * as ethers from "ethers";
import { SiweMessage } from "siwe";
import { hashMessage, parseSignature, serializeCompactSignature, signatureToCompactSignature } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createSiweMessage } from "viem/siwe";

import { legacy } from "../envelopes.mjs";
import { accepted, challengeFor, flipped, hex, inSeconds, otherChain, post, refused, site, strangeChain, utf8 } from "../server.mjs";

const secretKey = generatePrivateKey();
const account = privateKeyToAccount(secretKey);
const wallet = new ethers.Wallet(secretKey);
const stranger = privateKeyToAccount(generatePrivateKey());
const order = secp256k1.Point.CURVE().n;

/** What personal_sign hashes, without a library's help. */
const personalHash = (text) => {
  const message = utf8(text);
  return keccak_256(Buffer.concat([utf8(`\x19Ethereum Signed Message:\n${message.length}`), message]));
};

/** r, s and the recovery bit of a 65-byte signature, and back. */
const take = (signature) => {
  const bytes = Buffer.from(signature.slice(2), "hex");
  return { r: bytes.subarray(0, 32), s: bytes.subarray(32, 64), parity: bytes[64] - 27 };
};
const join = (r, s, v) => "0x" + hex(r) + hex(s) + hex([v]);

const signers = {
  viem: (text) => account.signMessage({ message: text }),
  "viem, compact (EIP-2098)": async (text) =>
    serializeCompactSignature(signatureToCompactSignature(parseSignature(await signers.viem(text)))),
  ethers: (text) => wallet.signMessage(text),
  "ethers, compact (EIP-2098)": async (text) => ethers.Signature.from(await signers.ethers(text)).compactSerialized,
  "ethers, v of 0 or 1": async (text) => {
    const { r, s, parity } = take(await signers.ethers(text));
    return join(r, s, parity);
  },
  "@noble/curves": (text) => {
    const key = Buffer.from(secretKey.slice(2), "hex");
    const signature = secp256k1.sign(personalHash(text), key, { prehash: false, format: "recovered" }); // recovery, r, s
    return join(signature.slice(1, 33), signature.slice(33), 27 + signature[0]);
  },
};

const fields = (nonce) => ({ ...site, address: account.address, chainId: 1, nonce, version: "1", issuedAt: inSeconds(0) });
const more = () => ({
  statement: "Sign in: “100 %” für 日本 👩‍🚀, no cost.", expirationTime: inSeconds(300), notBefore: inSeconds(-10), requestId: "a-1:2@3",
  resources: ["ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/", "https://app.example.com/terms?v=2#top"],
});
const dates = (all, names = ["issuedAt", "expirationTime", "notBefore"]) =>
  Object.fromEntries(Object.entries(all).map(([name, value]) => [name, names.includes(name) ? new Date(value) : value]));

const writers = {
  "the server": (nonce, message) => message,
  viem: (nonce) => createSiweMessage(dates(fields(nonce))),
  "viem, every field": (nonce) => createSiweMessage(dates({ ...fields(nonce), ...more(), scheme: "https" })),
  siwe: (nonce) => new SiweMessage(fields(nonce)).prepareMessage(),
  // siwe has its own grammar, which takes no other languages into the statement
  "siwe, every field": (nonce) => new SiweMessage({ ...fields(nonce), ...more(), statement: "Sign in: 'no' cost.", scheme: "https" }).prepareMessage(),
  "siwe, another chain": (nonce) => new SiweMessage({ ...fields(nonce), chainId: otherChain }).prepareMessage(),
};

for (const [author, write] of Object.entries(writers)) {
  for (const [signer, sign] of Object.entries(signers)) {
    test(`message by ${author}, signed by ${signer}`, async () => {
      const { challenge, message: served } = await challengeFor(account.address, { domain: site.domain });
      const message = write(challenge, served);
      const request = { algorithm: "eip191", address: account.address, challenge, message, signature: await sign(message) };
      const claims = await accepted(request, account.address);
      const chain = author.includes("another") ? otherChain : 1;
      assert.equal(claims.account, `eip155:${chain}:${account.address}`);
      assert.equal(claims.wallet_address, account.address);
      assert.match(claims.wallet_id, /^[\w-]{43}$/);
    });
  }
}

test("the libraries read the server's message as it was meant", async () => {
  const { challenge, message } = await challengeFor(account.address.toLowerCase(), { domain: site.domain, chain_id: `eip155:${otherChain}` });
  const read = new SiweMessage(message);
  assert.deepEqual(
    [read.domain, read.address, read.chainId, read.nonce, read.uri, read.version],
    [site.domain, account.address, otherChain, challenge, "https://app.example.com", "1"],
  );
  assert.equal(read.toMessage(), message);
  const signature = await account.signMessage({ message });
  assert.ok((await read.verify({ signature, domain: site.domain, nonce: challenge })).success);
  assert.equal(hashMessage(message), "0x" + hex(personalHash(message)));
});

/** A sign-in that is right, but for the changes: of fields before the message is made, of the text before it is signed, of the request after. */
async function signIn({ change = {}, text = (t) => t, after = (r) => r, sign = signers.viem } = {}) {
  const { challenge } = await challengeFor(account.address);
  const message = text(createSiweMessage(dates({ ...fields(challenge), ...change })));
  return after({ algorithm: "eip191", address: account.address, challenge, message, signature: await sign(message) });
}

/** The signature taken apart and put together otherwise. */
const resigned = (make) => ({ after: (r) => ({ ...r, signature: make(take(r.signature)) }) });
const number = (bytes) => BigInt("0x" + hex(bytes));
const bytes32 = (value) => Buffer.from(value.toString(16).padStart(64, "0"), "hex");
const replaced = (from, to) => ({ text: (t) => (assert.match(t, from), t.replace(from, to)) });
const resent = (from, to) => ({ after: (r) => ({ ...r, message: replaced(from, to).text(r.message) }) });

for (const [name, changes] of [
  ["without address and challenge", { after: ({ algorithm, message, signature }) => ({ algorithm, message, signature }) }],
  ["with an address in lower case", { after: (r) => ({ ...r, address: r.address.toLowerCase() }) }],
  ["with a public key that is not needed", { after: (r) => ({ ...r, public_key: account.publicKey }) }],
  ["with the challenge in upper case and with 0x", { after: (r) => ({ ...r, challenge: "0x" + r.challenge.toUpperCase() }) }],
  ["with a signature without 0x", { after: (r) => ({ ...r, signature: r.signature.slice(2) }) }],
  ["with a signature in base64", { after: (r) => ({ ...r, encoding: "base64", signature: Buffer.from(r.signature.slice(2), "hex").toString("base64") }) }],
  ["with an offset in its times", replaced(/Issued At: .*/, () => `Issued At: ${inSeconds(7200).replace("Z", "+02:00")}`)],
]) {
  test(`accepted ${name}`, async () => accepted(await signIn(changes), account.address));
}

for (const [name, changes, status, code] of [
  ["a letter of the message changed after signing", resent(/sign-in/, "sign-on"), 401, "invalid_signature"],
  ["another letter case of the domain", resent(/^app/, "App"), 401, "domain_mismatch"],
  ["r changed", resigned(({ r, s, parity }) => join(flipped(r, 5), s, 27 + parity)), 401, "invalid_signature"],
  ["s changed", resigned(({ r, s, parity }) => join(r, flipped(s, 20), 27 + parity)), 401, "invalid_signature"],
  ["v flipped", resigned(({ r, s, parity }) => join(r, s, 28 - parity)), 401, "invalid_signature"],
  ["v of 29", resigned(({ r, s }) => join(r, s, 29)), 401, "invalid_signature"],
  ["v of EIP-155", resigned(({ r, s, parity }) => join(r, s, 37 + parity)), 401, "invalid_signature"],
  ["high s", resigned(({ r, s, parity }) => join(r, bytes32(order - number(s)), 28 - parity)), 401, "high_s"],
  ["r of 0", resigned(({ s, parity }) => join(new Uint8Array(32), s, 27 + parity)), 401, "invalid_signature"],
  ["s of 0", resigned(({ r, parity }) => join(r, new Uint8Array(32), 27 + parity)), 401, "invalid_signature"],
  ["r of the order", resigned(({ s, parity }) => join(bytes32(order), s, 27 + parity)), 401, "invalid_signature"],
  ["a byte too few", { after: (r) => ({ ...r, signature: r.signature.slice(0, -4) }) }, 401, "contract_wallet_not_supported"],
  ["a byte too many", { after: (r) => ({ ...r, signature: r.signature + "00" }) }, 401, "contract_wallet_not_supported"],
  ["no hex", { after: (r) => ({ ...r, signature: r.signature + "z" }) }, 400, "invalid_encoding"],
  ["an unknown encoding", { after: (r) => ({ ...r, encoding: "utf8" }) }, 400, "unknown_encoding"],
  ["another's signature", { sign: (t) => stranger.signMessage({ message: t }) }, 401, "invalid_signature"],
  ["the hash without its prefix", { sign: (t) => account.sign({ hash: ethers.keccak256(utf8(t)) }) }, 401, "invalid_signature"],
  ["typed data in place of a message", { sign: (t) => wallet.signTypedData({}, { M: [{ name: "t", type: "string" }] }, { t }) }, 401, "invalid_signature"],
  ["another address in the request", { after: (r) => ({ ...r, address: stranger.address }) }, 400, "address_mismatch"],
  ["another address in the message", { change: { address: stranger.address } }, 400, "address_mismatch"],
  ["another address in both", { change: { address: stranger.address }, after: (r) => ({ ...r, address: stranger.address }) }, 401, "challenge_of_another_address"],
  ["an address in lower case in the message", { text: (t) => t.replace(account.address, account.address.toLowerCase()) }, 400, "bad_checksum"],
  ["a wrong checksum in the message", { text: (t) => t.replace(account.address, wrongCase(account.address)) }, 400, "bad_checksum"],
  ["a wrong checksum in the request", { after: (r) => ({ ...r, address: wrongCase(r.address) }) }, 400, "bad_checksum"],
  ["another nonce", { change: { nonce: "0".repeat(64) }, after: (r) => ({ ...r, challenge: undefined }) }, 401, "invalid_challenge"],
  ["a nonce of the client's own", { change: { nonce: "abcdefgh12345678" }, after: (r) => ({ ...r, challenge: undefined }) }, 401, "invalid_challenge"],
  ["another challenge beside the message", { after: (r) => ({ ...r, challenge: "0".repeat(64) }) }, 400, "challenge_mismatch"],
  ["another domain", { change: { domain: "evil.example.com" } }, 401, "domain_mismatch"],
  ["another port", { change: { domain: site.domain + ":8443" } }, 401, "domain_mismatch"],
  ["a domain with user information", replaced(/^app/, "app.example.com@app"), 401, "domain_mismatch"],
  ["a scheme that is not allowed", { change: { scheme: "http" } }, 401, "domain_mismatch"],
  ["another URI", { change: { uri: "https://evil.example.com/" } }, 401, "uri_mismatch"],
  ["a URI that only begins right", { change: { uri: "https://app.example.com.evil.example/" } }, 401, "uri_mismatch"],
  ["a URI over http", { change: { uri: "http://app.example.com/" } }, 401, "uri_mismatch"],
  ["another chain", { change: { chainId: strangeChain } }, 401, "chain_not_allowed"],
  ["expired", { change: { expirationTime: inSeconds(-120) } }, 401, "message_expired"],
  ["expired before it begins", { change: { expirationTime: inSeconds(-120), notBefore: inSeconds(300) } }, 401, "message_expired"],
  ["not yet valid", { change: { notBefore: inSeconds(300) } }, 401, "message_not_yet_valid"],
  ["issued in the future", { change: { issuedAt: inSeconds(300) } }, 401, "issued_at_out_of_range"],
  ["issued long ago", { change: { issuedAt: inSeconds(-3600) } }, 401, "issued_at_out_of_range"],
  ["a time that is none", replaced(/Issued At: .*/, "Issued At: today"), 400, "malformed_message"],
  ["another version", replaced(/Version: 1/, "Version: 2"), 400, "malformed_message"],
  ["lines that end with CR LF", { text: (t) => t.replaceAll("\n", "\r\n") }, 400, "malformed_message"],
  ["a line feed at the end", { text: (t) => t + "\n" }, 400, "malformed_message"],
  ["a space before it", { text: (t) => " " + t }, 400, "malformed_message"],
  ["fields in another order", replaced(/(Version: 1)\n(Chain ID: 1)/, "$2\n$1"), 400, "malformed_message"],
  ["a field twice", replaced(/(Nonce: .*)/, "$1\n$1"), 400, "malformed_message"],
  ["no message", { after: (r) => ({ ...r, message: undefined }) }, 400, "message_required"],
  ["an off-chain envelope", { after: (r) => ({ ...r, signed_message: hex(legacy(r.message)) }) }, 400, "malformed_message"],
  ["another algorithm", { after: (r) => ({ ...r, algorithm: "Ed25519", public_key: "00".repeat(32) }) }, 400, "algorithm_mismatch"],
  ["an algorithm that is none", { after: (r) => ({ ...r, algorithm: "eip712", public_key: account.publicKey }) }, 400, "unsupported_algorithm"],
]) {
  test(`refused: ${name}`, async () => refused(await signIn(changes), status, code));
}

/** The address with the letter case of one letter changed. */
function wrongCase(address) {
  const at = address.slice(2).search(/[a-zA-Z]/) + 2;
  const letter = address[at];
  return address.slice(0, at) + (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()) + address.slice(at + 1);
}

test("refused: signed in twice with one message", async () => {
  const request = await signIn();
  await accepted(request, account.address);
  await refused(request, 401, "invalid_challenge");
});

test("refused: a message whose first try had a wrong signature", async () => {
  const request = await signIn();
  await refused({ ...request, signature: await stranger.signMessage({ message: request.message }) }, 401, "invalid_signature");
  await refused(request, 401, "invalid_challenge");
});

test("a message that is refused by its rules spends nothing", async () => {
  const request = await signIn();
  await refused({ ...request, message: request.message + "\n" }, 400, "malformed_message");
  await accepted(request, account.address);
});

test("refused: a stranger's nonce for this address, signed by the stranger", async () => {
  const { challenge, message } = await challengeFor(account.address, { domain: site.domain });
  const signature = await stranger.signMessage({ message });
  await refused({ algorithm: "eip191", address: account.address, challenge, message, signature }, 401, "invalid_signature");
});

test("the raw algorithm takes an Ethereum address, with its key and a message", async () => {
  const { challenge, message } = await challengeFor(account.address, { domain: site.domain });
  const signature = hex(secp256k1.sign(utf8(message), Buffer.from(secretKey.slice(2), "hex")));
  const request = { algorithm: "secp256k1", address: account.address, public_key: account.publicKey, challenge, message, signature };
  await accepted(request, account.address);
  await refused({ ...request, message: undefined }, 400, "message_required");
});

for (const [name, body, code] of [
  ["a wrong checksum", { address: wrongCase(account.address) }, "bad_checksum"],
  ["a strange chain", { address: account.address, chain_id: `eip155:${strangeChain}` }, "chain_not_allowed"],
  ["no chain", { address: account.address, chain_id: "mainnet" }, "invalid_chain_id"],
  ["a strange domain", { address: account.address, domain: "evil.example.com" }, "domain_not_allowed"],
]) {
  test(`no challenge for ${name}`, async () => {
    const { status, body: problem } = await post("/challenge", body);
    assert.deepEqual([status, problem.code], [400, code]);
  });
}
