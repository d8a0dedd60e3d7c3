// A program that signs its users in: an OAuth client on the person's own device, which receives the response by HTTP.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";

import { base } from "../server.mjs";

export const oauth = base + "/api/v1/auth/oauth";

/** Listens on a free port. next() is the next response, as `{method, code, state, error, …}`. */
export async function startProgram() {
  const waiting = [];
  const come = [];
  const server = createServer(async (request, reply) => {
    const url = new URL(request.url, "http://localhost");
    let text = url.search.slice(1);
    if (request.method === "POST") {
      text = "";
      for await (const chunk of request) {
        text += chunk;
      }
    }
    reply.setHeader("Content-Type", "text/html; charset=utf-8");
    reply.end('<!doctype html><html lang="en"><title>Done</title><link rel="icon" href="data:,"><h1>Back at the program</h1>');
    if (url.pathname === "/callback") {
      const response = { method: request.method, ...Object.fromEntries(new URLSearchParams(text)) };
      (waiting.shift() ?? ((late) => come.push(late)))(response);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin, redirect: origin + "/callback",
    next: () => (come.length > 0 ? Promise.resolve(come.shift()) : new Promise((resolve) => waiting.push(resolve))),
    stop: () => server.close(),
  };
}

/** An authorization request of the program, with the verifier of its PKCE. */
export function newRequest(program, more = {}) {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    client_id: "tool", redirect_uri: program.redirect, response_type: "code", scope: "openid profile groups", state: "the state",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256", ...more,
  });
  return { url: `${oauth}/authorize?${query}`, verifier };
}

/** The tokens for a response. */
export async function exchange(program, response, verifier) {
  assert.equal(response.error, undefined, response.error_description);
  assert.equal(response.iss, base);
  assert.equal(response.state, "the state");
  const reply = await fetch(oauth + "/token", {
    method: "POST",
    body: new URLSearchParams({ grant_type: "authorization_code", client_id: "tool", code: response.code, redirect_uri: program.redirect, code_verifier: verifier }),
  });
  const tokens = await reply.json();
  assert.equal(reply.status, 200, JSON.stringify(tokens));
  return tokens;
}

export const claimsOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
