// Makes a token for each ML-DSA parameter set with @noble/post-quantum: {jwks, tokens: {alg: token}}.

import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js";
import { input } from "./cases.mjs";

const base64url = (data) => Buffer.from(data).toString("base64url");
const part = (object) => base64url(JSON.stringify(object));

const now = Math.floor(Date.now() / 1000);
const keys = [];
const tokens = {};
for (const [alg, scheme] of Object.entries({ "ML-DSA-44": ml_dsa44, "ML-DSA-65": ml_dsa65, "ML-DSA-87": ml_dsa87 })) {
  const { publicKey, secretKey } = scheme.keygen();
  keys.push({ kty: "AKP", alg, use: "sig", kid: `noble-${alg}`, pub: base64url(publicKey) });
  const claims = { iss: input.issuer, aud: input.audience, sub: "noble", iat: now, exp: now + 600 };
  const signed = `${part({ alg, kid: `noble-${alg}`, typ: "at+jwt" })}.${part(claims)}`;
  tokens[alg] = `${signed}.${base64url(scheme.sign(new TextEncoder().encode(signed), secretKey))}`;
}
process.stdout.write(JSON.stringify({ jwks: { keys }, tokens }));
