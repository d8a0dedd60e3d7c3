// Bare keys, as services and agents have them: Ed25519 and secp256k1 by @noble/curves and tweetnacl, ML-DSA by
// @noble/post-quantum. They sign the challenge itself, or a message that names their algorithm.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ed25519 } from "@noble/curves/ed25519.js";
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js";
import nacl from "tweetnacl";

import { accepted, challengeFor, flipped, hex, refused, site, utf8 } from "../server.mjs";

const order = secp256k1.Point.CURVE().n;
const bytes32 = (value) => Buffer.from(value.toString(16).padStart(64, "0"), "hex");

function ecdsaKey(format) {
  const { secretKey, publicKey } = secp256k1.keygen();
  const sign = (message) => secp256k1.sign(message, secretKey, { format });
  /** The other signature of the same message, which anybody can make. */
  const signHigh = (message) => {
    const { r, s } = secp256k1.Signature.fromBytes(secp256k1.sign(message, secretKey));
    return new secp256k1.Signature(r, order - s).toBytes(format);
  };
  /** A signature of BIP 340, with a low s lest it is refused for that. */
  const signSchnorr = (message) => {
    const signature = schnorr.sign(message, secretKey);
    return signature[32] < 0x7f ? signature : signSchnorr(message);
  };
  const uncompressed = secp256k1.Point.fromBytes(publicKey).toBytes(false);
  return { algorithm: "secp256k1", publicKey, uncompressed, sign, signHigh, signSchnorr, address: hex(publicKey), subject: hex(publicKey) };
}

function edKey(sign) {
  const { secretKey, publicKey } = ed25519.keygen();
  return { algorithm: "Ed25519", publicKey, sign: (message) => sign(message, secretKey), address: hex(publicKey), subject: hex(publicKey) };
}

function latticeKey(algorithm, scheme) {
  const { secretKey, publicKey } = scheme.keygen();
  const pub = Buffer.from(publicKey).toString("base64url");
  const thumbprint = Buffer.from(sha256(utf8(`{"alg":"${algorithm}","kty":"AKP","pub":"${pub}"}`))).toString("base64url"); // RFC 7638
  const sign = (message, options) => scheme.sign(message, secretKey, options);
  const signPrehashed = (message) => scheme.prehash(sha512).sign(message, secretKey);
  return { algorithm, publicKey, sign, signPrehashed, address: hex(publicKey), subject: thumbprint };
}

const keys = {
  "Ed25519 by @noble/curves": edKey((message, secretKey) => ed25519.sign(message, secretKey)),
  "Ed25519 by tweetnacl": edKey((message, secretKey) => nacl.sign.detached(message, nacl.sign.keyPair.fromSeed(secretKey).secretKey)),
  "secp256k1 by @noble/curves, DER": ecdsaKey("der"),
  "secp256k1 by @noble/curves, compact": ecdsaKey("compact"),
  "ML-DSA-44 by @noble/post-quantum": latticeKey("ML-DSA-44", ml_dsa44),
  "ML-DSA-65 by @noble/post-quantum": latticeKey("ML-DSA-65", ml_dsa65),
  "ML-DSA-87 by @noble/post-quantum": latticeKey("ML-DSA-87", ml_dsa87),
};

/** A sign-in that is right, but for the changes: of the key or address before the challenge, of the signed text, of the signature, of the request. */
async function signIn(key, { address = key.address, text = (t) => t, sign = key.sign, signature = (s) => s, after = (r) => r } = {}) {
  const { challenge } = await challengeFor(address);
  const signed = signature(await sign(utf8(text(challenge))));
  return after({ algorithm: key.algorithm, address, public_key: hex(key.publicKey), challenge, signature: hex(signed) });
}

/** For each algorithm, a key of somebody else. */
const strangers = {
  Ed25519: edKey((message, secretKey) => ed25519.sign(message, secretKey)), secp256k1: ecdsaKey("der"),
  "ML-DSA-44": latticeKey("ML-DSA-44", ml_dsa44), "ML-DSA-65": latticeKey("ML-DSA-65", ml_dsa65), "ML-DSA-87": latticeKey("ML-DSA-87", ml_dsa87),
};
const another = (key) => strangers[key.algorithm];

const good = {
  "as it is": {},
  "everything in upper case and with 0x": {
    after: (r) => ({ ...r, ...Object.fromEntries(["public_key", "challenge", "signature"].map((name) => [name, "0x" + r[name].toUpperCase()])) }),
  },
  "in base64": { after: (r) => ({ ...r, encoding: "base64", signature: Buffer.from(r.signature, "hex").toString("base64") }) },
};

const bad = (key) => ({
  "the signature changed": [{ signature: (s) => flipped(s, 40) }, 401, "invalid_signature"],
  "the signature changed at its end": [{ signature: (s) => flipped(s, -1) }, 401, "invalid_signature"],
  "another text signed": [{ text: (t) => t.slice(1) + "0" }, 401, "invalid_signature"],
  "the challenge's bytes signed, not its text": [{ sign: (text) => key.sign(Buffer.from(Buffer.from(text).toString(), "hex")) }, 401, "invalid_signature"],
  "another's signature": [{ sign: another(key).sign }, 401, "invalid_signature"],
  "another's key and signature": [{ sign: another(key).sign, after: (r) => ({ ...r, public_key: hex(another(key).publicKey) }) }, 400, "address_mismatch"],
  "another's address": [{ after: (r) => ({ ...r, address: another(key).address }) }, 401, "challenge_of_another_address"],
  "another's address, with its challenge": [{ address: another(key).address }, 400, "address_mismatch"],
  "another challenge": [{ after: (r) => ({ ...r, challenge: "0".repeat(64) }) }, 401, "invalid_challenge"],
  "a challenge cut short": [{ after: (r) => ({ ...r, challenge: r.challenge.slice(2) }) }, 401, "invalid_challenge"],
  "no key": [{ after: (r) => ({ ...r, public_key: undefined }) }, 400, "missing_field"],
  "a key cut short": [{ after: (r) => ({ ...r, public_key: r.public_key.slice(2) }) }, 401, "wrong_length"],
  "a key that is no hex": [{ after: (r) => ({ ...r, public_key: "zz" }) }, 400, "invalid_encoding"],
});

for (const [name, key] of Object.entries(keys)) {
  for (const [how, changes] of Object.entries(good)) {
    test(`${name}: accepted ${how}`, async () => {
      const claims = await accepted(await signIn(key, changes), key.subject);
      assert.match(claims.wallet_id, /^[\w-]{43}$/);
      assert.equal(claims.account, undefined);
    });
  }
  for (const [what, [changes, status, code]] of Object.entries(bad(key))) {
    test(`${name}: refused: ${what}`, async () => refused(await signIn(key, changes), status, code));
  }
  test(`${name}: refused: twice with one challenge`, async () => {
    const request = await signIn(key);
    await accepted(request, key.subject);
    await refused(request, 401, "invalid_challenge");
  });
  test(`${name}: a message that names the algorithm`, async () => {
    const { challenge, message } = await challengeFor(key.address, { algorithm: key.algorithm, domain: site.domain });
    assert.ok(message.startsWith(`${site.domain} wants you to sign in with your ${key.algorithm} account:\n${key.address}\n`), message);
    const signature = hex(await key.sign(utf8(message)));
    const request = { algorithm: key.algorithm, address: key.address, public_key: hex(key.publicKey), challenge, message, signature };
    await refused({ ...request, message: message.replace(site.domain, "evil.example.com") }, 401, "domain_mismatch");
    await accepted(request, key.subject);
  });
}

for (const name of ["Ed25519 by @noble/curves", "secp256k1 by @noble/curves, DER"]) {
  test(`${name}: an address in upper case and with 0x is the same subject`, async () => {
    const key = keys[name];
    await accepted(await signIn(key, { address: "0x" + key.address.toUpperCase() }), key.subject);
  });
}

for (const name of ["secp256k1 by @noble/curves, DER", "secp256k1 by @noble/curves, compact"]) {
  const key = keys[name];
  test(`${name}: the key in its uncompressed form is the same subject`, async () => {
    await accepted(await signIn(key, { address: hex(key.uncompressed), after: (r) => ({ ...r, public_key: hex(key.uncompressed) }) }), key.subject);
  });
  for (const [what, changes, code] of [
    ["high s", { sign: key.signHigh }, "high_s"],
    ["a hybrid key", { after: (r) => ({ ...r, public_key: "0" + (6 + (key.uncompressed[64] & 1)) + hex(key.uncompressed.slice(1)) }) }, "invalid_signature"],
    ["a point that is not on the curve", { after: (r) => ({ ...r, public_key: "04" + hex(key.uncompressed.slice(1, 64)) + hex([key.uncompressed[64] ^ 1]) }) }, "invalid_signature"],
    ["s of 0", { sign: () => Buffer.concat([bytes32(1n), bytes32(0n)]) }, "invalid_signature"],
    ["a Schnorr signature", { sign: key.signSchnorr }, "invalid_signature"],
  ]) {
    test(`${name}: refused: ${what}`, async () => refused(await signIn(key, changes), 401, code));
  }
}

for (const name of Object.keys(keys).filter((one) => one.startsWith("ML-DSA"))) {
  const key = keys[name];
  test(`${name}: the thumbprint as address`, async () => {
    await accepted(await signIn(key, { address: key.subject }), key.subject);
  });
  for (const [what, changes, code] of [
    ["a context", { sign: (message) => key.sign(message, { context: utf8("sign-in") }) }, "invalid_signature"],
    ["a prehashed message", { sign: key.signPrehashed }, "invalid_signature"],
    ["a signature cut short", { signature: (s) => s.slice(1) }, "wrong_length"],
    ["a signature and a byte", { signature: (s) => Buffer.concat([s, Buffer.of(0)]) }, "wrong_length"],
  ]) {
    test(`${name}: refused: ${what}`, async () => refused(await signIn(key, changes), 401, code));
  }
}
