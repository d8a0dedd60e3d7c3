// Package dpop verifies the DPoP proofs (RFC 9449) of token requests, and compares their keys with those that signed
// messages name (RFC 9278). Tokens are bound to the key of the proof: a stolen token is worth nothing without that key.
//
// A proof is verified before anything of the request is used up. It is marked as used only when the rest of the request
// is known to be valid, so that invalid requests cannot fill the memory of used proofs.
package dpop
