// Package sqlstore stores the state of serverauth in an SQL database: SQLite for a single server (package sqlite), PostgreSQL for
// any number of them (package postgres), which also stores the signing keys. Both have the same schema, which they migrate when
// they open a database, and pass the same conformance suite (testutil/storetest).
//
// [Module] has both. An app that wants only one driver takes the Module of that package instead.
package sqlstore
