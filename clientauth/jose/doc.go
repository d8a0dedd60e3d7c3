// Package jose contains the parts of JOSE that an issuer and a resource server share: signature algorithms, public
// keys and their JWK form, tolerant key sets, RFC 7638 thumbprints, and a strict parser of compact JWS.
//
// # What it protects against
//
// A verifier is attacked through what it accepts. Therefore an algorithm is always bound to a key of its own type
// ([Key.Fits]), and symmetric algorithms and "none" do not exist here. Base64url has exactly one accepted form, JSON
// objects with a repeated member are refused, and sizes and depths are limited. This package never uses a key that a
// token's header contains or names (jku, x5u, jwk, x5c); [ParseCompact] only returns the header.
//
// Key sets are parsed leniently. A set comes from an issuer that is already trusted, and may contain keys that this
// package does not know: [ParseSet] skips those and does not fail.
package jose
