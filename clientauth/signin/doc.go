// Package signin gets tokens of a picoauth server for a Go program, such as an agent or a service: it signs in with a key of the
// program, renews the session before the token expires, and adds the token to requests.
//
// A [Source] is an [oauth2.TokenSource]. Goroutines share one request for tokens, and so do processes that share a state file. A
// failure does not end the session: if a reply is lost, the source repeats the request with the same refresh token, and if the
// session has ended, it signs in again. The key can be any [crypto.Signer], so that it can stay in an HSM.
//
// With Config.DPoP the tokens are bound to a key (RFC 9449): a stolen token cannot be used without that key. A [Transport]
// makes the proofs. [Source.Exchange] gets a token with which the program acts for a user who has called it (RFC 8693).
//
// The package depends on neither fx nor echo, and also works with Python's pico-server-auth.
package signin
