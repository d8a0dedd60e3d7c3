// openid-client, the certified client of Node.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as client from "openid-client";
import { allow, given, issuer } from "./kit.mjs";

const redirect = "https://app.example.com/callback";
const discover = (id, auth) => client.discovery(issuer, id, undefined, auth, { execute: [client.allowInsecureRequests] });

async function signIn(config, parameters = {}) {
  const verifier = client.randomPKCECodeVerifier(), state = client.randomState(), nonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirect, scope: "openid profile offline_access", state, nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", ...parameters,
  });
  return client.authorizationCodeGrant(config, await allow(url),
    { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true, ...("max_age" in parameters ? { maxAge: Number(parameters.max_age) } : {}) });
}

for (const [id, auth] of [["public", client.None()], ["basic", client.ClientSecretBasic(given.secret)], ["post", client.ClientSecretPost(given.secret)]]) {
  test(`${id}: code, user info, refresh, revocation, end of session`, async () => {
    const config = await discover(id, auth);
    const tokens = await signIn(config, { max_age: "600" });
    const claims = tokens.claims();
    assert.deepEqual(claims.amr, ["pop"]);
    const about = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
    assert.equal(about.sub, claims.sub);
    const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
    assert.equal(renewed.claims()?.sub ?? claims.sub, claims.sub);
    await client.tokenRevocation(config, renewed.refresh_token);
    await assert.rejects(client.refreshTokenGrant(config, renewed.refresh_token), (error) => error.error === "invalid_grant");
    const end = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: "https://app.example.com/bye" });
    assert.equal((await fetch(end, { redirect: "manual" })).status < 400, true);
  });
}

test("a browser that is known signs once, and prompt=login signs anew", async () => {
  const config = await discover("public", client.None());
  const first = (await signIn(config)).claims(), second = (await signIn(config)).claims();
  assert.equal(second.auth_time, first.auth_time);
  const anew = (await signIn(config, { prompt: "login" })).claims();
  assert.ok(anew.auth_time >= first.auth_time);
  assert.notEqual(anew.sid, second.sid);
});

test("introspection says what a token is, and that another is none", async () => {
  const config = await discover("basic", client.ClientSecretBasic(given.secret));
  const tokens = await signIn(config);
  assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, true);
  assert.equal((await client.tokenIntrospection(config, "not.a.token")).active, false);
});

test("a device without a browser polls until the person has signed", async () => {
  const config = await discover("device", client.None());
  const device = await client.initiateDeviceAuthorization(config, { scope: "openid profile offline_access" });
  const polled = client.pollDeviceAuthorizationGrant(config, device); // it waits for the interval, asks, and waits again
  assert.ok((await allow(device.verification_uri_complete)).searchParams.has("done"));
  const tokens = await polled;
  const about = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  assert.equal(about.sub, tokens.claims().sub);
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(renewed.refresh_token, tokens.refresh_token);
  await assert.rejects(client.pollDeviceAuthorizationGrant(config, device), (error) => error.error === "invalid_grant", "a device code serves once");
});
