// Package keys manages the signing keys of an issuer: it generates keys, publishes them before the first signature and after the
// last one, rotates them, and removes compromised ones. It works without fx.
//
// # Rotation
//
// A resource server refuses a token if the key is not in its copy of the key set, so a rotation in the wrong order locks users out.
// A [Ring] therefore never signs with a key that may be missing in a client's cached set (except after a compromise, if all other
// keys are too new), and never stops publishing a key while a token that it signed may be valid:
//
//   - A new key is pending: it is published but does not sign yet. This lasts for the max-age of the key set, the time that clients
//     cache it, the clock skew, and the time that a process may need to read the store.
//   - One key is active. A further published key is the spare: most of the time it is old enough to sign at once.
//   - A retired key is published until the longest-lived token that it may have signed has expired. Its private part is deleted at
//     once.
//   - A removed key is not published any more. A compromised key leaves a tombstone, so that its id is never used again.
//
// # One store, many processes
//
// The state of a key depends only on the times in its [Record] and on the clock. Therefore a change consists of a few independent
// writes of records, any part of which leaves a valid key set, and processes that share a [Store] agree without communicating. Each
// process reads the store every second. Changes are made under the exclusive lock of the store, so one process rotates and the
// others follow. Their clocks must agree within [Config].Skew.
//
// # Key management
//
// With a stolen signing key anybody can forge tokens until it is reported with [Ring.Compromise]. [FileStore] writes keys to files
// that only their owner can read. With an [EncryptionKey], which should be stored elsewhere, a stolen disk or backup does not
// reveal the keys. If the encryption key is lost, the signing keys and all sessions are lost. Restoring a backup undoes all later
// records, including a compromise: report it again.
package keys
