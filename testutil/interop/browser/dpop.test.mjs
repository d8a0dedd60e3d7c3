// client.js binds its tokens to a key that no script can read (RFC 9449).

import assert from "node:assert/strict";

import { base, post } from "../server.mjs";
import { open, outcome, signInHere as signIn } from "./client.mjs";
import { pageTest } from "./harness.mjs";
import { addEthereum } from "./wallets.mjs";

const api = base + "/api/profile";
const about = { wallets: addEthereum, at: base + "/icon.svg", refusals: true };
const listed = "https://api.example.com";

const claimsOf = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[1], "base64url"));
const headerOf = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[0], "base64url"));
const profile = async (headers) => (await fetch(api, { headers })).status;

/** The token response of a sign-in. */
async function signInAndSee(page) {
  const reply = page.waitForResponse((one) => one.url().endsWith("/sign-in"));
  await signIn(page);
  return (await reply).json();
}

pageTest("tokens are worth nothing without the key", about, async (page, { address, signed }) => {
  await open(page);
  const { token_type, access_token, refresh_token } = await signInAndSee(page);
  assert.equal(token_type, "DPoP");
  const { jkt } = claimsOf(access_token).cnf;
  assert.match(signed[0], new RegExp(`\nResources:\n- urn:ietf:params:oauth:jwk-thumbprint:sha-256:${jkt}$`), "what the wallet signed names the key");

  const headers = await outcome(page, "headers", api);
  assert.deepEqual(Object.keys(headerOf(headers.DPoP).jwk).sort(), ["crv", "kty", "x", "y"]);
  assert.equal(await profile({ Authorization: `Bearer ${access_token}` }), 401);
  assert.equal(await profile({ Authorization: `DPoP ${access_token}` }), 401);
  assert.equal(await profile(headers), 200);
  assert.equal(await profile(headers), 401, "a proof serves once");
  assert.equal((await post("/refresh", { refresh_token })).body.code, "dpop_key_mismatch");
  assert.equal(await outcome(page, "fetch", api), 200);
  assert.match(await outcome(page, "refresh"), /^ey/);
  assert.equal(await outcome(page, "fetch", api), 200);
  assert.deepEqual(await outcome(page, "headers", "https://elsewhere.example.com/"), {});

  const second = await page.context().newPage();
  await second.goto(about.at);
  assert.equal(await open(second), address);
  assert.equal(await outcome(second, "fetch", api), 200, "another tab has the key too");
  await second.close();
});

pageTest("the key outlives a reload, and no script can read it", about, async (page, { address }) => {
  await open(page, { storage: "session" });
  await signIn(page);
  await page.reload();
  assert.equal(await open(page, { storage: "session" }), address);
  assert.equal(await outcome(page, "fetch", api), 200);
  const kept = await page.evaluate(async () => {
    const [{ name }] = await indexedDB.databases();
    const database = await new Promise((resolve) => (indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result)));
    const request = database.transaction("keys").objectStore("keys").getAll();
    const [{ privateKey }] = await new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    database.close();
    const refusal = await crypto.subtle.exportKey("jwk", privateKey).then(() => "exported", ({ name }) => name);
    return { refusal, extractable: privateKey.extractable, storage: JSON.stringify(sessionStorage), local: localStorage.length };
  });
  assert.deepEqual([kept.refusal, kept.extractable, kept.local], ["InvalidAccessError", false, 0]);
  assert.doesNotMatch(kept.storage, /"d\\?":/);

  await page.evaluate(() => new Promise((resolve) => (indexedDB.deleteDatabase("picoauth").onsuccess = resolve)));
  await page.reload();
  await open(page, { storage: "session" });
  assert.equal(await page.evaluate(() => window.client.session), null, "without its key a session is none");
});

for (const [name, options, prepare] of [
  ["the page asks for bearer tokens", { dpop: false }, async () => {}],
  ["the server knows no DPoP", {}, (page) => page.route("**/.well-known/openid-configuration", (route) => route.fulfill({ json: {} }))],
]) {
  pageTest(name, about, async (page, { signed }) => {
    await prepare(page);
    await open(page, options);
    const { token_type, access_token } = await signInAndSee(page);
    assert.equal(token_type, "Bearer");
    assert.doesNotMatch(signed[0], /Resources/);
    assert.equal(await profile({ Authorization: `Bearer ${access_token}` }), 200);
    assert.equal(await outcome(page, "fetch", api), 200);
  });
}

pageTest("a resource that wants its nonce in the proof", { ...about, elsewhere: [listed], bypassCSP: true }, async (page) => {
  const got = [];
  const allowed = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "DPoP-Nonce, WWW-Authenticate" };
  await page.route(listed + "/**", (route) => {
    const { nonce, htm, htu, ath } = claimsOf(route.request().headers().dpop);
    got.push([nonce, htm, htu, route.request().postData()]);
    assert.match(ath, /^[\w-]{43}$/);
    const wants = { "DPoP-Nonce": nonce ? "second" : "first", ...(nonce ? {} : { "WWW-Authenticate": 'DPoP error="use_dpop_nonce"' }) };
    return route.fulfill({ status: nonce ? 200 : 401, headers: { ...allowed, ...wants }, json: {} });
  });
  await open(page, { origins: [listed] });
  await signIn(page);
  const refreshes = [];
  page.on("request", (request) => request.url().endsWith("/refresh") && refreshes.push(1));
  assert.equal(await outcome(page, "fetch", listed + "/orders?page=2", { method: "POST", body: "an order" }), 200);
  assert.equal(await outcome(page, "fetch", listed + "/orders"), 200);
  assert.deepEqual(got, [
    [undefined, "POST", listed + "/orders", "an order"], ["first", "POST", listed + "/orders", "an order"], ["second", "GET", listed + "/orders", null],
  ]);
  assert.deepEqual(refreshes, []);
});
