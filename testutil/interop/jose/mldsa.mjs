// Judges the signatures of ML-DSA tokens with @noble/post-quantum, by the AKP keys (RFC 9964) at a live URL.

import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js";
import { input, judge } from "./cases.mjs";

const implementations = { "ML-DSA-44": ml_dsa44, "ML-DSA-65": ml_dsa65, "ML-DSA-87": ml_dsa87 };

const bytes = (base64url) => Uint8Array.from(Buffer.from(base64url, "base64url"));
const object = (base64url) => JSON.parse(Buffer.from(base64url, "base64url"));

const { keys } = await (await fetch(input.jwks)).json();

await judge((token) => {
  const [header, claims, signature] = token.split(".");
  const { alg, kid } = object(header);
  const key = keys.find((one) => one.kid === kid);
  if (key?.kty !== "AKP" || key.alg !== alg) throw new Error(`no key ${kid} for ${alg}`);
  const message = new TextEncoder().encode(`${header}.${claims}`);
  if (!implementations[alg].verify(bytes(signature), message, bytes(key.pub))) throw new Error("the signature is wrong");
  const { iss } = object(claims);
  if (iss !== input.issuer) throw new Error(`iss is ${iss}`);
});
