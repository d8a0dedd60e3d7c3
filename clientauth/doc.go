// Package clientauth protects an HTTP service with bearer tokens: it validates JWTs of the issuers that it trusts, puts
// who is asking into the request's context, and decides by role, group and scope.
//
// [Module] is for fx apps with echo. Everything in it is made of plain constructors that work without fx and without
// echo: [NewTokenValidator] over a [KeySet], and [Authenticator] as echo or net/http middleware.
//
// # What it promises
//
// A route needs a valid token unless a [Policy] says otherwise. Every rule of a token that needs no key is checked
// before its signature is, and its signature before anything in it is believed. When keys or a denylist cannot be had,
// the answer is 503 and never "valid" (unless the denylist was told to fail open). Nothing a client sends makes more
// than one request to an issuer in 30 seconds. An answer waits for its keys and its denylist, for each of them at most 5
// seconds, and only if it could not be given otherwise.
package clientauth
