package sqlcore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// challengeKey returns the key of the challenges, which all instances share. The first one makes it. One that is damaged,
// or from before key_encryption_key was set or changed, is replaced: the challenges that it made live for minutes. One
// that is encrypted is not replaced by a process that has no key_encryption_key: the others need it.
func challengeKey(ctx context.Context, db *database, c serverauth.BackendConfig) (key [serverauth.NonceKeySize]byte, err error) {
	const name = "challenge"
	fresh := keys.Record{ID: "secret." + name, Kind: keys.KindSecret, CreatedAt: c.Clock(), Private: make([]byte, serverauth.NonceKeySize)}
	rand.Read(fresh.Private)
	sealed, err := keys.EncodeRecord(fresh, c.EncryptionKey)
	if err != nil {
		return key, err
	}
	add := Statement{SQL: `INSERT INTO picoauth_secret (name, record) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, Args: []any{name, sealed}}
	for try := 0; ; try++ {
		found := []byte{}
		read := Statement{
			SQL:  `SELECT record FROM picoauth_secret WHERE name = $1`,
			Args: []any{name}, Read: func(scan Scan) error { return scan(&found) },
		}
		if err := db.run(ctx, add, read); err != nil {
			return key, err
		}
		record, err := keys.DecodeRecord(found, c.EncryptionKey)
		if err == nil {
			copy(key[:], record.Private)
			return key, nil
		}
		if errors.Is(err, keys.ErrKeyRequired) || try == maxKeyTries {
			return key, fmt.Errorf("the key of the challenges: %w", err)
		}
		c.Log.WarnContext(ctx, "the key of the challenges cannot be read and is replaced: challenges asked before are refused", "error", err)
		drop := Statement{SQL: `DELETE FROM picoauth_secret WHERE name = $1 AND record = $2`, Args: []any{name, found}}
		if err := db.run(ctx, drop); err != nil {
			return key, err
		}
	}
}

// maxKeyTries is how often a key is replaced, in case others do so too.
const maxKeyTries = 3
