package sqlcore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Rows of picoauth_secret: the key of the challenges, and the expiry up to which used nonces may have been forgotten.
const (
	challengeKeyName = "challenge"
	forgottenName    = "challenge forgotten"
	// maxKeyTries is how often a key is replaced, in case other instances do so too.
	maxKeyTries = 3
)

// challengeKey reads and makes the key of the challenges, which all instances share.
type challengeKey struct{ config store.BackendConfig }

// read returns the state. The first instance makes the key. A key is replaced if it is damaged, or older than the current
// key_encryption_key; its challenges live only for minutes. A process without key_encryption_key does not replace an encrypted
// key, because the other processes need it.
func (k challengeKey) read(ctx context.Context, db *database) (*challengeState, error) {
	for try := 0; ; try++ {
		state, err := k.find(ctx, db)
		if err == nil && state == nil {
			if err := k.add(ctx, db); err != nil {
				return nil, err
			}
			state, err = k.find(ctx, db)
		}
		switch {
		case err != nil:
			return nil, err
		case state == nil && try < maxKeyTries: // another instance has removed it again
			continue
		case state == nil:
			return nil, errors.New("the challenge key was removed again after each attempt to store one")
		}
		record, err := keys.DecodeRecord(state.sealed, k.config.EncryptionKey)
		if err == nil {
			state.NonceMinter = store.NewNonceMinter([store.NonceKeySize]byte(record.Private))
			return state, nil
		}
		if errors.Is(err, keys.ErrKeyRequired) || try == maxKeyTries {
			return nil, fmt.Errorf("challenge key: %w", err)
		}
		k.config.Log.WarnContext(ctx, "the challenge key cannot be read and is replaced: challenges issued before are refused", "error", err)
		drop := Statement{SQL: `DELETE FROM picoauth_secret WHERE name = $1 AND record = $2`, Args: []any{challengeKeyName, state.sealed}}
		if err := db.run(ctx, drop); err != nil {
			return nil, err
		}
	}
}

// find reads the stored state, nil without a key.
func (k challengeKey) find(ctx context.Context, db *database) (*challengeState, error) {
	var state challengeState
	err := db.read(ctx, Statement{
		SQL: `SELECT name, record FROM picoauth_secret WHERE name IN ($1, $2)`, Args: []any{challengeKeyName, forgottenName},
		Read: func(scan Scan) error {
			var name string
			var record []byte
			err := scan(&name, &record)
			if name == challengeKeyName {
				state.sealed = record
			} else if len(record) == len(expiryPrefix(0)) {
				state.forgotten = int64(binary.BigEndian.Uint64(append([]byte{0, 0}, record...)))
			}
			return err
		},
	})
	if err != nil || state.sealed == nil {
		return nil, err
	}
	return &state, nil
}

// add makes a key, unless there is one.
func (k challengeKey) add(ctx context.Context, db *database) error {
	fresh := keys.Record{ID: "secret.challenge", Kind: keys.KindSecret, CreatedAt: k.config.Clock(), Private: make([]byte, store.NonceKeySize)}
	rand.Read(fresh.Private)
	sealed, err := keys.EncodeRecord(fresh, k.config.EncryptionKey)
	if err != nil {
		return err
	}
	return db.run(ctx, Statement{
		SQL: `INSERT INTO picoauth_secret (name, record) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, Args: []any{challengeKeyName, sealed},
	})
}
