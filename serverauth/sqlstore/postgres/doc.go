// Package postgres stores everything in PostgreSQL, which any number of servers can share.
//
// Add [Module] to the app and set server_auth.storage_url to postgres://user:password@host:port/database. The parameters and
// environment variables of libpq work too (sslmode, target_session_attrs, …). The parameter pool_max_conns is the maximum number
// of connections of a server (16). The user needs the right to create tables in the first schema of the search path when a new
// version starts for the first time.
//
// Signing keys are rows, encrypted with server_auth.key_encryption_key, which is required. Every instance learns of a revocation
// at once, by LISTEN, or within a second behind a connection pooler, by polling.
package postgres
