// Wrong requests to the endpoints behind the page.
import { s256 } from "./session.mjs";

const redirect = "https://app.example.com/callback";
const grant = "authorization_code";

/** A request with a fresh code; change is laid over what is right. */
const redeemed = (name, change, want, theirs, why, from = {}) => ({
  name, want, theirs, why,
  run: async (session) => session.outcome("token", { grant_type: grant, ...(await session.code(from)), ...change }),
});
const did = (name, run, want, theirs, why) => ({ name, run, want, theirs, why });
const asked = (name, form, options, want, theirs, why) => did(name, (session) => session.outcome("token", form, options), want, theirs, why);

export const tokenCases = ({ secret, resource }) => [
  redeemed("nothing wrong", {}, "200"),
  // RFC 7636 section 4.6
  redeemed("another verifier", { code_verifier: "w".repeat(43) }, "400 invalid_grant"),
  redeemed("no verifier", { code_verifier: undefined }, "400 invalid_grant"),
  redeemed("a short verifier", { code_verifier: "w" }, "400 invalid_grant", "400 invalid_request", "the code is spent either way; a verifier that cannot be right is a wrong one (RFC 7636 section 4.6)"),
  redeemed("a verifier one too short", { code_verifier: "w".repeat(42) }, "400 invalid_grant", "400 invalid_request",
    "the code is spent either way; a verifier that cannot be right is a wrong one (RFC 7636 section 4.6)"),
  redeemed("a verifier one too long", { code_verifier: "w".repeat(129) }, "400 invalid_grant", "400 invalid_request",
    "the code is spent either way; a verifier that cannot be right is a wrong one (RFC 7636 section 4.6)"),
  redeemed("a verifier of other letters", { code_verifier: "w".repeat(42) + "!" }, "400 invalid_grant", "400 invalid_request",
    "the code is spent either way; a verifier that cannot be right is a wrong one (RFC 7636 section 4.6)"),
  redeemed("the challenge for the verifier", { code_verifier: s256("v".repeat(43)) }, "400 invalid_grant"),
  did("after a wrong verifier the right one", async (session) => {
    const code = await session.code();
    await session.post("token", { grant_type: grant, ...code, code_verifier: "w".repeat(43) });
    return session.outcome("token", { grant_type: grant, ...code });
  }, "400 invalid_grant", "200", "the contract spends a code with a wrong verifier: whoever sent it has stolen the code, and shall not guess twice"),
  // RFC 6749 section 4.1.3
  redeemed("another redirect", { redirect_uri: "https://app.example.com/other" }, "400 invalid_grant"),
  redeemed("no redirect", { redirect_uri: undefined }, "400 invalid_grant", "200",
    "OAuth 2.1 leaves the parameter to the server; the contract binds a code to its redirect, as RFC 6749 section 4.1.3 and OpenID Connect do"),
  redeemed("another client", { client_id: "native" }, "400 invalid_grant"),
  redeemed("a code that nobody made", { code: "nobody-made-this" }, "400 invalid_grant"),
  redeemed("an empty code", { code: "" }, "400 invalid_request"),
  redeemed("no code", { code: undefined }, "400 invalid_request"),
  redeemed("no grant type", { grant_type: undefined }, "400 invalid_request"),
  redeemed("an unknown grant type", { grant_type: "wish" }, "400 unsupported_grant_type"),
  redeemed("two codes", { code: ["a", "b"] }, "400 invalid_request"),
  redeemed("two verifiers", { code_verifier: ["w".repeat(43), "v".repeat(43)] }, "400 invalid_request"),
  redeemed("two clients in the form", { client_id: ["public", "native"] }, "400 invalid_request"),
  redeemed("two redirects", { redirect_uri: [redirect, redirect] }, "400 invalid_request"),
  redeemed("two grant types", { grant_type: [grant, "client_credentials"] }, "400 invalid_request"),
  redeemed("a parameter twice that nobody knows", { x: ["1", "2"] }, "400 invalid_request", "200",
    "RFC 6749 section 3.2 has no parameter twice, and one that is not known today may be known to a proxy or a later version"),
  redeemed("a redirect with another query", { redirect_uri: `${redirect}?x=1` }, "400 invalid_grant"),
  redeemed("a resource with a fragment", { resource: `${resource}#x` }, "400 invalid_target"),
  redeemed("a resource that the person did not allow", { resource }, "400 invalid_target"),
  did("a code in the query", async (session) => {
    const { code, ...rest } = await session.code();
    return session.outcome("token", { grant_type: grant, ...rest }, { query: `?code=${encodeURIComponent(code)}` });
  }, "400 invalid_request"),
  did("a code of a public client, by one with a secret", async (session) => {
    const { client_id: _, ...code } = await session.code();
    return session.outcome("token", { grant_type: grant, ...code }, { basic: ["basic", secret] });
  }, "400 invalid_grant"),
  redeemed("another resource", { resource: "https://elsewhere.example.com" }, "400 invalid_target"),
  asked("a password", { grant_type: "password", client_id: "public", username: "a", password: "b" }, {}, "400 unsupported_grant_type"),
  // RFC 9700 section 4.5: a second use
  did("a second use", async (session) => {
    const code = await session.code();
    await session.post("token", { grant_type: grant, ...code });
    return session.outcome("token", { grant_type: grant, ...code });
  }, "400 invalid_grant"),
  did("a second use ends what the first began", async (session) => {
    const { access_token: token, code } = await session.tokens();
    await session.post("token", { grant_type: grant, ...code });
    return session.userinfo(token);
  }, "401 invalid_token"),
  did("a second use ends the refresh token too", async (session) => {
    const { refresh_token: token, code } = await session.tokens();
    await session.post("token", { grant_type: grant, ...code });
    return session.outcome("token", { grant_type: "refresh_token", refresh_token: token, client_id: "public" });
  }, "400 invalid_grant"),
  // client authentication, RFC 6749 section 2.3 and 5.2
  asked("a wrong secret", { grant_type: "client_credentials" }, { basic: ["basic", "x".repeat(40)] }, "401 invalid_client"),
  asked("a wrong secret in the body", { grant_type: "client_credentials", client_id: "basic", client_secret: "x".repeat(40) }, {}, "401 invalid_client"),
  asked("a right secret in the place that was not agreed", { grant_type: "client_credentials", client_id: "basic", client_secret: secret }, {}, "401 invalid_client", "200",
    "a client has one auth_method; oidc-provider takes a secret in either place"),
  asked("no secret", { grant_type: "client_credentials", client_id: "basic" }, {}, "401 invalid_client"),
  asked("an unknown client", { grant_type: "client_credentials" }, { basic: ["nobody", secret] }, "401 invalid_client"),
  asked("no client", { grant_type: "client_credentials" }, {}, "401 invalid_client", "400 invalid_request", "no client authentication included is invalid_client by RFC 6749 section 5.2"),
  asked("two ways at once", { grant_type: "client_credentials", client_id: "basic", client_secret: secret }, { basic: ["basic", secret] }, "400 invalid_request"),
  asked("two clients", { grant_type: "client_credentials", client_id: "public" }, { basic: ["basic", secret] }, "400 invalid_request"),
  asked("credentials of a public client", { grant_type: "client_credentials", client_id: "public" }, {}, "400 unauthorized_client", "400 invalid_request",
    "RFC 6749 section 5.2 has unauthorized_client for a client that may not use the grant"),
  asked("a grant that the client may not use", { grant_type: "client_credentials" }, { basic: ["basic-code", secret] }, "400 unauthorized_client", "400 invalid_request",
    "RFC 6749 section 5.2 has unauthorized_client for a client that may not use the grant"),
  asked("a scope that the client may not have", { grant_type: "client_credentials", scope: "everything" }, { basic: ["basic", secret] }, "400 invalid_scope", "200",
    "oidc-provider leaves out what it does not know; the contract refuses, so that a client learns of its mistake"),
  asked("a secret with percent signs, as RFC 6749 has it", { grant_type: "client_credentials" }, { basic: ["basic", `%${secret.charCodeAt(0).toString(16)}${secret.slice(1)}`] }, "200"),
  asked("a secret with a percent sign of nothing", { grant_type: "client_credentials" }, { basic: ["basic", `%zz${secret}`] }, "401 invalid_client", "400 invalid_request",
    "what is no right Basic is a client authentication that failed, which is invalid_client by RFC 6749 section 5.2"),
  asked("no secret behind the name", { grant_type: "client_credentials" }, { basic: ["basic", ""] }, "401 invalid_client", "400 invalid_request",
    "what is no right Basic is a client authentication that failed, which is invalid_client by RFC 6749 section 5.2"),
  asked("no name before the secret", { grant_type: "client_credentials" }, { basic: ["", secret] }, "401 invalid_client", "400 invalid_request",
    "what is no right Basic is a client authentication that failed, which is invalid_client by RFC 6749 section 5.2"),
  asked("Basic that is no base64", { grant_type: "client_credentials" }, { headers: { authorization: "Basic !!!" } }, "401 invalid_client", "400 invalid_request",
    "what is no right Basic is a client authentication that failed, which is invalid_client by RFC 6749 section 5.2"),
  asked("Basic without a colon", { grant_type: "client_credentials" }, { headers: { authorization: `Basic ${Buffer.from("basic").toString("base64")}` } }, "401 invalid_client", "400 invalid_request",
    "what is no right Basic is a client authentication that failed, which is invalid_client by RFC 6749 section 5.2"),
  asked("another scheme than Basic", { grant_type: "client_credentials" }, { headers: { authorization: `Bearer ${secret}` } }, "401 invalid_client", "400 invalid_request",
    "what is no right Basic is a client authentication that failed, which is invalid_client by RFC 6749 section 5.2"),
  asked("a name in capitals", { grant_type: "client_credentials" }, { basic: ["BASIC", secret] }, "401 invalid_client"),
  asked("the same name in both places", { grant_type: "client_credentials", client_id: "basic" }, { basic: ["basic", secret] }, "200"),
  asked("a secret in the query", { grant_type: "client_credentials" }, { query: `?client_id=basic&client_secret=${secret}` }, "401 invalid_client", "400 invalid_request",
    "no client authentication included is invalid_client by RFC 6749 section 5.2"),
  asked("two secrets", { grant_type: "client_credentials", client_id: "basic", client_secret: [secret, secret] }, {}, "400 invalid_request"),
  asked("an assertion beside Basic", { grant_type: "client_credentials", client_assertion: "a.b.c",
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" }, { basic: ["basic", secret] }, "400 invalid_request"),
  did("a challenge comes with a wrong secret", async (session) => {
    const { headers } = await session.post("token", { grant_type: "client_credentials" }, { basic: ["basic", "x".repeat(40)] });
    return /^Basic/.test(headers.get("www-authenticate") ?? "");
  }, true),
  did("tokens are not cached", async (session) => {
    const { headers } = await session.post("token", { grant_type: "client_credentials" }, { basic: ["basic", secret] });
    return /no-store/.test(headers.get("cache-control") ?? "");
  }, true),
  // the form
  asked("JSON", {}, { headers: { "content-type": "application/json" }, body: JSON.stringify({ grant_type: "client_credentials" }), basic: ["basic", secret] }, "400 invalid_request"),
  asked("in the query", {}, { query: "?grant_type=client_credentials", basic: ["basic", secret] }, "400 invalid_request"),
  did("by GET", async (session) => (await fetch(`${session.metadata.token_endpoint}?grant_type=client_credentials`)).status >= 400, true),
  // refresh, RFC 6749 section 6, RFC 9700 section 4.14
  did("a refresh token of another client", async (session) => {
    const { refresh_token: token } = await session.tokens();
    return session.outcome("token", { grant_type: "refresh_token", refresh_token: token, client_id: "native" });
  }, "400 invalid_grant"),
  did("a wider scope", async (session) => {
    const { refresh_token: token } = await session.tokens();
    return session.outcome("token", { grant_type: "refresh_token", refresh_token: token, client_id: "public", scope: "openid profile offline_access" });
  }, "400 invalid_scope"),
  did("another resource", async (session) => {
    const { refresh_token: token } = await session.tokens({ resource, scope: "notes:read offline_access" });
    return session.outcome("token", { grant_type: "refresh_token", refresh_token: token, client_id: "public", resource: "https://elsewhere.example.com" });
  }, "400 invalid_target"),
  did("a refresh token without saying of whom", async (session) => {
    const { refresh_token: token } = await session.tokens();
    return session.outcome("token", { grant_type: "refresh_token", refresh_token: token });
  }, "401 invalid_client", "400 invalid_request",
    "no client authentication included is invalid_client by RFC 6749 section 5.2"),
  did("a refresh token twice in the form", async (session) => {
    const { refresh_token: token } = await session.tokens();
    return session.outcome("token", { grant_type: "refresh_token", refresh_token: [token, token], client_id: "public" });
  }, "400 invalid_request"),
  did("a refresh token as a code", async (session) => {
    const { refresh_token: token, code } = await session.tokens();
    return session.outcome("token", { grant_type: grant, ...code, code: token });
  }, "400 invalid_grant"),
  did("a refresh token that was revoked", async (session) => {
    const { refresh_token: token } = await session.tokens();
    await session.post("revocation", { token, client_id: "public" });
    return session.outcome("token", { grant_type: "refresh_token", refresh_token: token, client_id: "public" });
  }, "400 invalid_grant"),
  asked("a refresh token that nobody made", { grant_type: "refresh_token", refresh_token: "nobody-made-this", client_id: "public" }, {}, "400 invalid_grant"),
  asked("no refresh token", { grant_type: "refresh_token", client_id: "public" }, {}, "400 invalid_request"),
  did("an access token to refresh with", async (session) => {
    const { access_token: token } = await session.tokens();
    return session.outcome("token", { grant_type: "refresh_token", refresh_token: token, client_id: "public" });
  }, "400 invalid_grant"),
  did("the token before, at once", async (session) => {
    const { refresh_token: token } = await session.tokens(), form = { grant_type: "refresh_token", refresh_token: token, client_id: "public" };
    const first = await session.post("token", form), second = await session.post("token", form);
    return [second.status, second.json.refresh_token === first.json.refresh_token];
  }, [200, true], [400, false], "a client that lost a race or a reply is not logged out: within refresh_grace_seconds the same token comes again, byte for byte"),
  did("the token before the one before", async (session) => {
    let { refresh_token: token } = await session.tokens();
    const first = token;
    for (let i = 0; i < 2; i++) {
      token = (await session.post("token", { grant_type: "refresh_token", refresh_token: token, client_id: "public" })).json.refresh_token;
    }
    return [await session.outcome("token", { grant_type: "refresh_token", refresh_token: first, client_id: "public" }),
      await session.outcome("token", { grant_type: "refresh_token", refresh_token: token, client_id: "public" })];
  }, ["400 invalid_grant", "400 invalid_grant"]),
  // RFC 6750, OpenID Connect Core section 5.3
  did("user info without a token", (session) => session.userinfo(), "401"),
  did("user info for nobody's token", (session) => session.userinfo("nobody.made.this"), "401 invalid_token"),
  did("user info for an ID token", async (session) => session.userinfo((await session.tokens()).id_token), "401 invalid_token"),
  did("user info for a refresh token", async (session) => session.userinfo((await session.tokens()).refresh_token), "401 invalid_token"),
  did("user info with the token in the query", async (session) => session.userinfo((await session.tokens()).access_token, { query: true }), "401", "400 invalid_request",
    "a token in a query is not looked at (RFC 9700 section 4.3.2): it is a request without one"),
  did("user info for a token for a resource", async (session) =>
    session.userinfo((await session.tokens({ resource, scope: "notes:read offline_access" })).access_token), "403 insufficient_scope", "401 invalid_token",
    "user info asks for the scope openid, whatever the token is for; oidc-provider refuses by the audience before it looks at the scope"),
  did("user info for a token that was revoked with its refresh token", async (session) => {
    const { access_token: token, refresh_token } = await session.tokens();
    await session.post("revocation", { token: refresh_token, client_id: "public" });
    return session.userinfo(token);
  }, "401 invalid_token"),
  // RFC 7009, RFC 7662
  did("revoking with a wrong hint", async (session) => {
    const { refresh_token: token } = await session.tokens();
    await session.post("revocation", { token, client_id: "public", token_type_hint: "access_token" });
    return session.outcome("token", { grant_type: "refresh_token", refresh_token: token, client_id: "public" });
  }, "400 invalid_grant"),
  did("revoking with a hint that nobody knows", async (session) => {
    const { refresh_token: token } = await session.tokens();
    return session.outcome("revocation", { token, client_id: "public", token_type_hint: "coin" });
  }, "200"),
  did("revoking another's access token", async (session) => {
    const { access_token: token } = await session.tokens();
    await session.post("revocation", { token, client_id: "native" });
    return session.userinfo(token);
  }, "200"),
  did("revoking two tokens at once", (session) => session.outcome("revocation", { token: ["a", "b"], client_id: "public" }), "400 invalid_request"),
  did("asking about another's token", async (session) => {
    const { access_token: token } = await session.tokens();
    const { json } = await session.post("introspection", { token }, { basic: ["basic", secret] });
    return [json.active, json.client_id];
  }, [true, "public"]),
  did("asking about a token as a client that may not", async (session) => {
    const { access_token: token } = await session.tokens();
    return session.outcome("introspection", { token, client_id: "native" });
  }, "400 unauthorized_client", "200",
    "anybody can take a public client's name, and could then try tokens; here a client needs a secret or a key, and introspect"),
  did("asking about a token that was revoked", async (session) => {
    const { access_token: token } = await session.tokens();
    await session.post("revocation", { token, client_id: "public" });
    return (await session.post("introspection", { token }, { basic: ["basic", secret] })).json;
  }, { active: false }),
  did("asking about an ID token", async (session) => {
    const { id_token: token } = await session.tokens();
    return (await session.post("introspection", { token }, { basic: ["basic", secret] })).json;
  }, { active: false }, { error: "unsupported_token_type", error_description: "Structured JWT Tokens cannot be introspected via the introspection_endpoint" },
    "RFC 7662 section 2.2 has active false for what is no token of the kind; unsupported_token_type is an error of revocation"),
  did("asking about two tokens at once", (session) => session.outcome("introspection", { token: ["a", "b"] }, { basic: ["basic", secret] }), "400 invalid_request"),
  did("revoking what nobody made", (session) => session.outcome("revocation", { token: "nobody-made-this", client_id: "public" }), "200"),
  did("revoking without a token", (session) => session.outcome("revocation", { client_id: "public" }), "400 invalid_request"),
  did("revoking with a wrong secret", (session) => session.outcome("revocation", { token: "x" }, { basic: ["basic", "x".repeat(40)] }), "401 invalid_client"),
  did("revoking another's refresh token", async (session) => {
    const { refresh_token: token } = await session.tokens();
    await session.post("revocation", { token, client_id: "native" });
    return session.outcome("token", { grant_type: "refresh_token", refresh_token: token, client_id: "public" });
  }, "200"),
  did("asking about a token without a secret", (session) => session.outcome("introspection", { token: "x" }), "401 invalid_client", "400 invalid_request",
    "no client authentication included is invalid_client by RFC 6749 section 5.2"),
  did("asking about a token with a wrong secret", (session) => session.outcome("introspection", { token: "x" }, { basic: ["basic", "x".repeat(40)] }), "401 invalid_client"),
  did("asking about what nobody made", async (session) => (await session.post("introspection", { token: "x" }, { basic: ["basic", secret] })).json, { active: false }),
];
