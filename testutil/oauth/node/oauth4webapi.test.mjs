// oauth4webapi, which is what Auth.js and many others are made of.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as oauth from "oauth4webapi";
import { allow, claimsOf, given, issuer } from "./kit.mjs";

const insecure = { [oauth.allowInsecureRequests]: true };
const redirect = "https://app.example.com/callback";
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oidc", ...insecure }));
const privateKey = { key: await crypto.subtle.importKey("jwk", given.key, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]), kid: given.key.kid };

const methods = {
  none: ["public", oauth.None()],
  client_secret_basic: ["basic", oauth.ClientSecretBasic(given.secret)],
  client_secret_post: ["post", oauth.ClientSecretPost(given.secret)],
  private_key_jwt: ["signs", oauth.PrivateKeyJwt(privateKey)],
};

/** The flow with a code, up to the tokens. */
async function signIn(id, auth, { scope = "openid profile wallet offline_access", resource, DPoP } = {}) {
  const client = { client_id: id };
  const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState(), nonce = oauth.generateRandomNonce();
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: id, redirect_uri: redirect, response_type: "code", scope, state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", ...(resource ? { resource } : {}),
  });
  const parameters = oauth.validateAuthResponse(server, client, await allow(url), state);
  const reply = await oauth.authorizationCodeGrantRequest(server, client, auth, parameters, redirect, verifier,
    { ...insecure, DPoP, additionalParameters: resource ? { resource } : {} });
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, reply,
    scope.includes("openid") ? { expectedNonce: nonce, requireIdToken: true } : {});
  return { client, tokens, parameters, verifier };
}

test("the RFC 8414 document is the same server", async () => {
  const other = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }));
  assert.equal(other.token_endpoint, server.token_endpoint);
  for (const method of Object.keys(methods)) {
    assert.ok(server.token_endpoint_auth_methods_supported.includes(method), method);
  }
  assert.deepEqual(server.code_challenge_methods_supported, ["S256"]);
  assert.equal(server.authorization_response_iss_parameter_supported, true);
});

for (const [method, [id, auth]] of Object.entries(methods)) {
  test(`${method}: code, user info, refresh, introspection, revocation`, async () => {
    const { client, tokens } = await signIn(id, auth);
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    assert.equal(claims.aud, id);
    const about = await oauth.processUserInfoResponse(server, client, claims.sub,
      await oauth.userInfoRequest(server, client, tokens.access_token, insecure));
    assert.equal(about.sub, claims.sub);
    const jwt = await oauth.validateJwtAccessToken(server, new Request(redirect, { headers: { authorization: `Bearer ${tokens.access_token}` } }), "pico", insecure);
    assert.equal(jwt.client_id, id);

    const renewed = await oauth.processRefreshTokenResponse(server, client,
      await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token, insecure));
    assert.notEqual(renewed.refresh_token, tokens.refresh_token);
    const again = await oauth.processRefreshTokenResponse(server, client,
      await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token, insecure));
    assert.equal(again.refresh_token, renewed.refresh_token, "a lost race answers the same token byte for byte");

    if (method !== "none") {
      const known = await oauth.processIntrospectionResponse(server, client,
        await oauth.introspectionRequest(server, client, auth, renewed.access_token, insecure));
      assert.equal(known.active, true);
      assert.equal(known.client_id, id);
    }
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, renewed.refresh_token, insecure));
    await assert.rejects(async () => oauth.processRefreshTokenResponse(server, client,
      await oauth.refreshTokenGrantRequest(server, client, auth, renewed.refresh_token, insecure)),
    (error) => error.error === "invalid_grant");
  });
}

test("a token for a resource, narrowed by a refresh and never widened", async () => {
  const [id, auth] = methods.none;
  const { client, tokens } = await signIn(id, auth, { scope: "notes:read notes:write offline_access", resource: given.resource });
  assert.equal(claimsOf(tokens.access_token).aud, given.resource);
  const narrow = await oauth.processRefreshTokenResponse(server, client,
    await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token, { ...insecure, additionalParameters: { scope: "notes:read" } }));
  assert.equal(claimsOf(narrow.access_token).scope, "notes:read");
  for (const [parameters, code] of [[{ scope: "notes:read email" }, "invalid_scope"], [{ resource: "https://elsewhere.example.com" }, "invalid_target"]]) {
    await assert.rejects(async () => oauth.processRefreshTokenResponse(server, client,
      await oauth.refreshTokenGrantRequest(server, client, auth, narrow.refresh_token, { ...insecure, additionalParameters: parameters })),
    (error) => error.error === code, JSON.stringify(parameters));
  }
});

test("DPoP: the tokens are bound to a key, and worth nothing without it", async () => {
  const [id, auth] = methods.none, client = { client_id: id };
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256")), other = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
  const { tokens } = await signIn(id, auth, { DPoP });
  assert.equal(tokens.token_type, "dpop");
  assert.ok(claimsOf(tokens.access_token).cnf.jkt);
  const sub = oauth.getValidatedIdTokenClaims(tokens).sub;
  const ask = async (options) => oauth.processUserInfoResponse(server, client, sub,
    await oauth.userInfoRequest(server, client, tokens.access_token, { ...insecure, ...options }));
  assert.equal((await ask({ DPoP })).sub, sub);
  await assert.rejects(ask({ DPoP: other }));
  await assert.rejects(ask({}));
  const renew = async (options) => oauth.processRefreshTokenResponse(server, client,
    await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token, { ...insecure, ...options }));
  for (const options of [{ DPoP: other }, {}]) {
    await assert.rejects(renew(options));
  }
  const renewed = await renew({ DPoP });
  assert.equal(claimsOf(renewed.access_token).cnf.jkt, claimsOf(tokens.access_token).cnf.jkt);
});

test("DPoP: a client that gets bound tokens only is refused without a proof", async () => {
  const client = { client_id: "bound" }, auth = oauth.ClientSecretBasic(given.secret);
  const ask = async (options) => oauth.processClientCredentialsResponse(server, client,
    await oauth.clientCredentialsGrantRequest(server, client, auth, { scope: "reports:read" }, { ...insecure, ...options }));
  await assert.rejects(ask({}), (error) => error.error === "invalid_dpop_proof");
  const tokens = await ask({ DPoP: oauth.DPoP(client, await oauth.generateKeyPair("ES256")) });
  assert.equal(tokens.token_type, "dpop");
});

test("a code serves one verifier, one client and one use", async () => {
  const [id, auth] = methods.none;
  const { client, parameters, verifier } = await signIn(id, auth);
  await assert.rejects(async () => oauth.processAuthorizationCodeResponse(server, client,
    await oauth.authorizationCodeGrantRequest(server, client, auth, parameters, redirect, verifier, insecure)),
  (error) => error.error === "invalid_grant");
});

test("client credentials", async () => {
  for (const method of ["client_secret_basic", "private_key_jwt"]) {
    const [id, auth] = methods[method], client = { client_id: id };
    const tokens = await oauth.processClientCredentialsResponse(server, client,
      await oauth.clientCredentialsGrantRequest(server, client, auth, { scope: "reports:read" }, insecure));
    assert.equal(claimsOf(tokens.access_token).sub, id);
    assert.equal(claimsOf(tokens.access_token).role, "service");
    assert.equal(tokens.refresh_token, undefined);
  }
});

test("token exchange: an agent acts for a person, with less than both may", async () => {
  const [id, auth] = methods.client_secret_basic, client = { client_id: id };
  const type = "urn:ietf:params:oauth:token-type:access_token";
  const { tokens } = await signIn("public", oauth.None(), { scope: "notes:read notes:write", resource: given.resource });
  const own = await oauth.processClientCredentialsResponse(server, client, await oauth.clientCredentialsGrantRequest(server, client, auth, {}, insecure));
  const act = async (changes, options = {}) => oauth.processGenericTokenEndpointResponse(server, client,
    await oauth.genericTokenEndpointRequest(server, client, auth, "urn:ietf:params:oauth:grant-type:token-exchange", {
      subject_token: tokens.access_token, subject_token_type: type, actor_token: own.access_token, actor_token_type: type, requested_token_type: type, ...changes,
    }, { ...insecure, ...options }));
  assert.ok(server.grant_types_supported.includes("urn:ietf:params:oauth:grant-type:token-exchange"));
  const acting = await act({});
  assert.equal(acting.issued_token_type, type);
  assert.equal(acting.scope, "notes:read");
  const claims = claimsOf(acting.access_token);
  assert.equal(claims.sub, claimsOf(tokens.access_token).sub);
  assert.deepEqual(claims.act, { sub: id, client_id: id });
  assert.equal(claims.aud, given.resource);
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
  const bound = await act({ subject_token: acting.access_token }, { DPoP });
  assert.equal(bound.token_type, "dpop");
  assert.deepEqual(claimsOf(bound.access_token).act, { sub: id, client_id: id, act: { sub: id, client_id: id } });
  for (const [changes, code] of [
    [{ scope: "notes:write" }, "invalid_scope"], [{ resource: "https://elsewhere.example.com/" }, "invalid_target"], [{ actor_token: tokens.access_token }, "invalid_request"],
    [{ subject_token: bound.access_token }, "invalid_request"], [{ subject_token_type: "urn:ietf:params:oauth:token-type:id_token" }, "invalid_request"],
  ]) {
    await assert.rejects(act(changes), (error) => error.error === code, JSON.stringify(changes));
  }
});

test("a wrong secret is invalid_client with a challenge", async () => {
  const client = { client_id: "basic" };
  await assert.rejects(async () => oauth.processClientCredentialsResponse(server, client,
    await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic("x".repeat(40)), {}, insecure)),
  (error) => error instanceof oauth.WWWAuthenticateChallengeError || error.error === "invalid_client");
});
