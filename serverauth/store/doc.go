// Package store defines the contracts of the server's stores: challenges, sessions, revocations and others, each with an
// implementation in memory for a single process; and [Backend], the interface that a kind of storage implements.
//
// The contracts say what must be atomic, what must survive a crash, and what a missing row means. The suite in
// testutil/storetest tests all implementations: in memory, SQLite, PostgreSQL, Redis, and a store of your own.
package store
