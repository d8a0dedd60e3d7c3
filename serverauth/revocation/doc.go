// Package revocation revokes tokens, sessions and subjects, and reports which ones are revoked.
//
// A [Revoker] writes to the store of revocations and ends sessions. A [Denylist] is this process's copy of that store for
// validators in the same process; it returns an error when it is too old.
package revocation
