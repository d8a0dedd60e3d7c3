// Package token makes access tokens and refresh tokens.
//
// An [Issuer] signs access tokens (RFC 9068) with the active key of the key ring, records them in the mint audit and publishes the
// keys that verify them. A [RefreshCodec] makes refresh tokens, which only this issuer can verify: JWTs with an HMAC, whose claims
// come from the row of the session. They are not encrypted.
package token
