package keys

import "errors"

// Errors for errors.Is. They are wrapped with details, and never contain a key.
var (
	// ErrUnknownKey is for a key id that is not in the ring.
	ErrUnknownKey = errors.New("keys: unknown key")
	// ErrUnavailable means that the store could not be read for so long that the ring must not be used: other processes may have
	// rotated or removed a key in the meantime. The ring recovers when the store can be read again.
	ErrUnavailable = errors.New("keys: the key store cannot be read")
	// ErrStoreEmptied is for a store that had keys and has none now, such as a folder that was unmounted. A running ring does not
	// treat that as a first start.
	ErrStoreEmptied = errors.New("keys: the key store had keys and is empty now: restore it, " +
		"or restart one instance, which makes new keys for all instances")
	// ErrTooManyKeys is for a rotation that would make the key set larger than clients read: wait until retired keys are removed.
	ErrTooManyKeys = errors.New("keys: too many published keys: wait until retired keys are removed")
	// ErrTokenLifetime is for a token that would expire after its key is removed.
	ErrTokenLifetime = errors.New("keys: the token would outlive its key")
	// ErrInvalidRecord is for a record with an invalid format, or with parts that do not belong together.
	ErrInvalidRecord = errors.New("keys: invalid record")

	// ErrCorrupt is for an encoded record that is incomplete or damaged.
	ErrCorrupt = errors.New("keys: damaged record")
	// ErrNewerFormat is for a record that a newer version of this program wrote.
	ErrNewerFormat = errors.New("keys: a newer version of the program wrote the record")
	// ErrEncryptionKey is for an encryption key with an invalid format.
	ErrEncryptionKey = errors.New("server_auth.key_encryption_key must be 32 bytes, as 64 hex characters or as base64")
	// ErrKeyRequired is for an encrypted record if there is no encryption key.
	ErrKeyRequired = errors.New("keys: encrypted, but server_auth.key_encryption_key is not set")
	// ErrNotEncrypted is for a plain record if there is an encryption key.
	ErrNotEncrypted = errors.New("keys: not encrypted, but server_auth.key_encryption_key is set")
	// ErrWrongKey is for a record that was encrypted with another key.
	ErrWrongKey = errors.New("keys: encrypted with another key than server_auth.key_encryption_key")
)
