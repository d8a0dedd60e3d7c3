// Package postgres keeps everything in PostgreSQL, which any number of servers may share.
//
// Add [Module] to the app and set server_auth.storage_url to postgres://user:password@host:port/database. All that
// libpq's URLs and environment variables know is taken too (sslmode, target_session_attrs, …), and pool_max_conns, how many
// connections a server opens at most (16). The user needs the right to create tables in the first schema of the search path when a
// new version starts for the first time.
//
// Signing keys are rows, sealed by server_auth.key_encryption_key, which is required. Every instance hears of a
// revocation at once, by LISTEN; behind a pooler that does not pass this on, within a second.
package postgres
