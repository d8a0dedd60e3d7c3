// Package jose holds the parts of JOSE that an issuer and a resource server share: signature algorithms, public keys
// and their JWK form, tolerant key sets, RFC 7638 thumbprints, and a strict reader of compact JWS.
//
// # What it protects against
//
// A verifier is attacked through what it accepts. Therefore an algorithm is always bound to a key of its own type
// ([Key.Fits]), symmetric algorithms and "none" do not exist here, base64url has exactly one accepted spelling,
// JSON objects with a repeated member are refused, sizes and depths are bounded, and nothing in a token's header
// (jku, x5u, jwk, x5c) is ever followed: [ParseCompact] does not even return it.
//
// Key sets are read the other way round. A set comes from an issuer that is trusted already and may hold keys that
// this package does not know, so [ParseSet] skips those one by one instead of failing.
package jose
