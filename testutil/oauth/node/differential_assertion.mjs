// Wrong assertions of a client that signs (OpenID Connect Core section 9, RFC 7523 section 3).
import { createHmac, createPrivateKey, generateKeyPairSync, randomUUID, sign } from "node:crypto";

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const now = () => Math.floor(Date.now() / 1000);

/** Makes the form of a request whose assertion differs from a right one by claims and header; undefined leaves a claim out. */
function form(session, { key, claims = {}, header = {}, seal } = {}) {
  const input = [{ alg: "ES256", kid: "k-1", ...header },
    { iss: "signs", sub: "signs", aud: session.issuer, jti: randomUUID(), iat: now(), exp: now() + 60, ...claims }].map(encode).join(".");
  const signature = seal ? seal(input) : sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
  return {
    grant_type: "client_credentials", client_id: "signs",
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", client_assertion: `${input}.${signature}`,
  };
}

export function assertionCases({ key: jwk }) {
  const key = createPrivateKey({ key: jwk, format: "jwk" });
  const { privateKey: stranger } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const asked = (name, change, want = "401 invalid_client", theirs, why) => ({
    name, want, theirs, why, run: async (session) => session.outcome("token", form(session, { key, ...(typeof change === "function" ? change(session) : change) })),
  });
  return [
    asked("nothing wrong", {}, "200"),
    asked("for the token endpoint", (session) => ({ claims: { aud: session.metadata.token_endpoint } }), "200"),
    asked("another key", { key: stranger }),
    asked("no signature", { header: { alg: "none" }, seal: () => "" }),
    asked("a signature by the public key as a secret", { header: { alg: "HS256" }, seal: (input) => createHmac("sha256", JSON.stringify(jwk)).update(input).digest("base64url") }),
    asked("another algorithm's name", { header: { alg: "RS256" } }),
    asked("it has expired", { claims: { iat: now() - 600, exp: now() - 300 } }),
    asked("it never expires", { claims: { exp: undefined } }),
    asked("for another server", { claims: { aud: "https://elsewhere.example.com" } }),
    asked("for nobody", { claims: { aud: undefined } }),
    asked("of another issuer", { claims: { iss: "basic" } }),
    asked("of another subject", { claims: { sub: "basic" } }, "401 invalid_client", "400 invalid_request",
      "client_id is not the sub of the assertion: whoever sends it is not who it says, which is invalid_client by RFC 7523 section 3.2"),
    asked("without an id", { claims: { jti: undefined } }),
    asked("not valid yet", { claims: { nbf: now() + 600 } }),
    {
      name: "twice", want: "401 invalid_client",
      run: async (session) => {
        const once = form(session, { key });
        await session.post("token", once);
        return session.outcome("token", once);
      },
    },
    {
      name: "of another type", want: "400 invalid_request",
      run: (session) => session.outcome("token", { ...form(session, { key }), client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:saml2-bearer" }),
    },
    {
      name: "beside a secret", want: "400 invalid_request",
      run: (session) => session.outcome("token", { ...form(session, { key }), client_secret: "x".repeat(40) }),
    },
    {
      name: "a secret in its place", want: "401 invalid_client",
      run: (session) => session.outcome("token", { grant_type: "client_credentials", client_id: "signs", client_secret: "x".repeat(40) }),
    },
  ];
}
