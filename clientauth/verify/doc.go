// Package verify protects an HTTP service with bearer tokens: it validates JWTs of trusted issuers, puts the caller into the
// request's context, and authorizes by role, group and scope. A service with plain net/http needs nothing else; package
// clientauth adds the integration with fx, echo and Prometheus.
//
// A service creates, in this order, a [RemoteKeySet], a [RemoteDenylist] if the issuer has one, a [TokenValidator] and an
// [Authenticator], whose Handler is middleware. Handlers get the caller by [FromContext].
//
// # Guarantees
//
// All rules that need no key are checked before the signature, and nothing in a token is used before its signature is verified.
// If keys or a denylist are unavailable, the reply is 503 (unless the denylist is configured to fail open). Apart from the
// regular fetches, tokens cause at most two fetches of an issuer's keys in 30 seconds: one for unknown key ids, one for wrong
// signatures. A request waits for keys and denylist only if it cannot be decided without them, and by default at most 5 seconds
// for each fetch.
package verify
