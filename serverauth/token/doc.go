// Package token makes access tokens and refresh tokens.
//
// An [Issuer] signs access tokens (RFC 9068) with the active key of the key ring, records them in the mint audit and publishes the keys that
// verify them. A [RefreshCodec] makes refresh tokens, which only this issuer can read: JWTs with an HMAC and the contents of their session's
// row.
package token
