// Package keys keeps the signing keys of an issuer: it makes them, publishes them before they sign and after they have
// signed, rotates them, and takes a stolen one out of use. It works without fx.
//
// # What it protects against
//
// A token whose key is not in the key set that a resource server holds is refused, so a rotation that is done in the
// wrong order locks users out. A [Ring] therefore never signs with a key that a client's cached set could lack (but
// after a theft that leaves only young keys), and never stops publishing a key while a token that it signed could be
// valid:
//
//   - a new key is pending: it is published and does not sign for the max-age of the set, the time that clients cache it,
//     the clocks' difference and the time that a process may take to read the store;
//   - one key is active; a published spare stands behind it and is old enough, most of the time, to sign at once;
//   - a retired key is published until the longest token that it may have signed has expired, but its private part is
//     destroyed at once;
//   - a removed key is gone. A compromised key leaves a tombstone, so that its id is never used again.
//
// # One store, many processes
//
// The state of a key follows from the times in its [Record] and from the clock, nothing else is remembered. Therefore
// a change is a few independent record writes, any part of which leaves a valid ring behind, and processes that share
// a [Store] agree without talking to each other. Each reads the store every second; changes are made under the store's
// exclusion, so one process rotates and the others follow. Their clocks must agree within [Config].Skew.
//
// # Key management
//
// A stolen signing key forges every token until it is reported with [Ring.Compromise]. [FileStore] keeps keys in files
// that their owner alone can read; with an [EncryptionKey], which belongs in another place than the files, a stolen
// disk or backup does not give the keys away. Losing the encryption key loses the signing keys and with them every
// session. A backup that is put back undoes what was recorded since then, a compromise too: report it again.
package keys
