package keys

import "errors"

// Errors that callers branch on. All are wrapped with what was wrong; none ever holds a key.
var (
	// ErrUnknownKey is a key id that is not in the ring.
	ErrUnknownKey = errors.New("keys: unknown key")
	// ErrUnavailable is a store that could not be read for so long that working on would break a promise: other
	// processes may have rotated or removed a key meanwhile. It passes when the store returns.
	ErrUnavailable = errors.New("keys: the key store cannot be read")
	// ErrStoreEmptied is a store that held keys and holds none now, such as a folder that was unmounted. The ring does
	// not take that for a first start while it runs.
	ErrStoreEmptied = errors.New("keys: the key store held keys and is empty now")
	// ErrTooManyKeys is a rotation that would make the key set larger than clients read: wait until retired keys expire.
	ErrTooManyKeys = errors.New("keys: too many published keys")
	// ErrTokenLifetime is a token that would outlive the publication of its key.
	ErrTokenLifetime = errors.New("keys: token expiry")
	// ErrInvalidRecord is a record that breaks a rule of its form, or whose parts do not belong together.
	ErrInvalidRecord = errors.New("keys: invalid record")

	// ErrCorrupt is an encoded record that is incomplete or was damaged.
	ErrCorrupt = errors.New("keys: damaged record")
	// ErrNewerFormat is an undamaged record that a newer version of this program wrote.
	ErrNewerFormat = errors.New("keys: record of a newer version")
	// ErrEncryptionKey is an encryption key in none of the accepted forms.
	ErrEncryptionKey = errors.New("server_auth.key_encryption_key must be 32 bytes, as 64 hex characters or as base64")
	// ErrKeyRequired is an encrypted record read without an encryption key.
	ErrKeyRequired = errors.New("keys: encrypted, but server_auth.key_encryption_key is not set")
	// ErrNotEncrypted is a plain record read with an encryption key.
	ErrNotEncrypted = errors.New("keys: not encrypted, but server_auth.key_encryption_key is set")
	// ErrWrongKey is a record that was encrypted with another key.
	ErrWrongKey = errors.New("keys: encrypted with another key than server_auth.key_encryption_key")
)
