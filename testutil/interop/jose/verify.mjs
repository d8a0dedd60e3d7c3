// Judges tokens with `jose`, by the keys at a live URL: the way a service in Node does.

import { createRemoteJWKSet, jwtVerify } from "jose";
import { input, judge } from "./cases.mjs";

const keys = createRemoteJWKSet(new URL(input.jwks));

await judge((token) =>
  jwtVerify(token, keys, {
    issuer: input.issuer,
    audience: input.audience,
    typ: "at+jwt",
    requiredClaims: ["exp", "sub", "jti"],
  }),
);
