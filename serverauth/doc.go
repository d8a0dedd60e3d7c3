// Package serverauth is an authentication server as an fx module: wallets, services and one administrator sign in and get
// access tokens (RFC 9068 JWTs) that any service can validate with the keys at /api/v1/auth/jwks.
//
//	app.New(
//		app.ConfigFile("application.yaml"),
//		serverauth.Module, // /api/v1/auth/*
//		clientauth.Module, // every other route of this app needs a token
//		fx.Invoke(routes),
//	).Run()
//
// # A sign-in
//
// POST /challenge returns a nonce for an address and, for an address of a chain, the message to sign. The wallet signs, and POST
// /sign-in returns an access token and a refresh token. A nonce can be used once, and a request with an invalid signature uses it
// up too, so a request that is repeated or stolen is refused. The subject of the tokens is derived from the verified key, never
// taken from the request.
//
// POST /refresh exchanges the refresh token for the next one. A session is one row with a counter. Using a refresh token of an
// earlier counter means that a token was stolen, so it ends the session. The exception is the previous token within 30
// seconds: it gets the same reply again, because the first reply may have been lost. POST /revoke revokes a token, a session or
// everything of a subject by adding it to the denylist, which [github.com/picoauth/picoauth/clientauth] reads (in the same app
// from memory).
//
// GET /api/v1/auth/openapi.json describes the whole HTTP interface. [ServerAuthSettings] is the configuration.
//
// # Replaceable parts
//
// Every part is an interface, which fx.Decorate replaces. The decorator must return the interface and be at the root of the
// app: inside an fx.Module, fx ignores it.
//
//   - [ClaimsProvider] returns role, groups, scope and additional claims of a subject, or refuses the subject. The settings
//     subjects, subjects_file and claims_url do the same without Go code.
//   - [ChallengeStore], [SessionStore], [store.RevocationStore] and [audit.Store] keep the state. A [store.Backend], added with
//     [AsBackend], opens all of them for a storage_url. SQLite, PostgreSQL and Redis are in packages of their own, so that a
//     program contains only the drivers that it imports. Without a backend all state is lost when the process ends. Package
//     testutil/storetest tests a store of your own.
//   - [WalletScheme], added with [AsWalletScheme], is a further wallet algorithm.
//
// The constructors (New…) work without fx; only the module connects all of them.
//
// # In production
//
// Run the server behind TLS, and set issuer to its public URL: messages contain that host, and wallets warn if it differs from
// the site. Services that do not read the denylist accept revoked tokens until they expire. Set storage_url or data_dir;
// otherwise a restart ends all sessions.
package serverauth
