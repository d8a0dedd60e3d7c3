// Package dpop reads the DPoP proofs (RFC 9449) that requests for tokens bring to the issuer, and the keys that signed
// messages name (RFC 9278). Whoever issues tokens binds them to the key of the proof: a stolen token is then worth nothing
// without that key.
//
// A proof is read before anything of the request is spent, and is itself spent once it is known that the request is
// otherwise good, so that nobody fills the memory of used proofs with requests that come to nothing.
package dpop
