// Package sqlstore keeps challenges, sessions, revocations, the mint audit and keys in an SQL database: SQLite for a
// single server (package sqlite), PostgreSQL for any number of them (package postgres). Both have one schema, which each
// brings up to date when it opens a database, and pass one conformance suite (testutil/storetest).
//
// [Module] has both. An app that wants one driver only takes that package's Module instead.
package sqlstore
