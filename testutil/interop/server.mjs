// The server under test, at PICOAUTH_URL, and what is demanded of its answers.

import assert from "node:assert/strict";

export const base = process.env.PICOAUTH_URL ?? "http://localhost:8300";

/** The site that messages are made for: one of allowed_domains. */
export const site = { domain: "app.example.com", uri: "https://app.example.com/sign-in" };

/** A chain that allowed_chains has beside the preferred one, and one that it has not. */
export const otherChain = 11155111;
export const strangeChain = 137;

async function read(reply) {
  return { status: reply.status, body: reply.status === 204 ? null : await reply.json() };
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return read(await fetch(base + "/api/v1/auth" + path, { method: "POST", headers, body: JSON.stringify(body) }));
}

/** Asks for a challenge: {challenge, message, …}. */
export async function challengeFor(address, extra = {}) {
  const { status, body } = await post("/challenge", { address, ...extra });
  assert.equal(status, 200, JSON.stringify(body));
  assert.match(body.challenge, /^[0-9a-f]{64}$/);
  return body;
}

/** A sign-in that must be accepted, as this subject; returns the claims of its token, with which a resource is fetched. */
export async function accepted(request, subject) {
  const { status, body } = await post("/sign-in", request);
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.address, subject);
  assert.equal(body.algorithm, request.algorithm);
  const claims = JSON.parse(Buffer.from(body.access_token.split(".")[1], "base64url"));
  assert.equal(claims.sub, subject);
  assert.equal(claims.role, "wallet");
  const headers = { Authorization: `Bearer ${body.access_token}` };
  const profile = await read(await fetch(base + "/api/profile", { headers }));
  assert.equal(profile.status, 200, JSON.stringify(profile.body));
  assert.equal(profile.body.subject, subject);
  return claims;
}

/** A sign-in that must be refused with this status and code. */
export async function refused(request, status, code) {
  const { status: got, body } = await post("/sign-in", request);
  assert.deepEqual([got, body.code], [status, code], JSON.stringify(body));
}

export const hex = (bytes) => Buffer.from(bytes).toString("hex");

export const utf8 = (text) => new TextEncoder().encode(text);

/** A copy of bytes with one bit changed. */
export function flipped(bytes, at = 0, bit = 1) {
  const copy = Uint8Array.from(bytes);
  copy.set([copy.at(at) ^ bit], at < 0 ? copy.length + at : at);
  return copy;
}

/** A time in RFC 3339, so many seconds from now. */
export const inSeconds = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
