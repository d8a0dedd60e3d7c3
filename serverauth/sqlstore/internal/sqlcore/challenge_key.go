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

// readState returns the state that all instances share. The first instance makes the key. A key is replaced if it is damaged, or
// older than the current key_encryption_key; its challenges live only for minutes. A process without key_encryption_key does not
// replace an encrypted key, because the other processes need it.
func (s *challengeStore) readState(ctx context.Context) (*challengeState, error) {
	for try := 0; ; try++ {
		state, err := s.findState(ctx)
		if err == nil && state == nil {
			if err := s.addKey(ctx); err != nil {
				return nil, err
			}
			state, err = s.findState(ctx)
		}
		switch {
		case err != nil:
			return nil, err
		case state == nil && try < maxKeyTries: // another instance has removed it again
			continue
		case state == nil:
			return nil, errors.New("the challenge key was removed again after each attempt to store one")
		}
		record, err := keys.DecodeRecord(state.sealed, s.config.EncryptionKey)
		if err == nil {
			state.NonceMinter = store.NewNonceMinter([store.NonceKeySize]byte(record.Private))
			return state, nil
		}
		if errors.Is(err, keys.ErrKeyRequired) || try == maxKeyTries {
			return nil, fmt.Errorf("challenge key: %w", err)
		}
		s.config.Log.WarnContext(ctx, "the challenge key cannot be read and is replaced: challenges issued before are refused", "error", err)
		if _, err := s.db.change(ctx, `DELETE FROM picoauth_secret WHERE name = $1 AND record = $2`, challengeKeyName, state.sealed); err != nil {
			return nil, err
		}
	}
}

// findState reads the stored state, nil without a key.
func (s *challengeStore) findState(ctx context.Context) (*challengeState, error) {
	var state challengeState
	err := s.db.read(ctx, Statement{
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

// addKey makes a key, unless there is one.
func (s *challengeStore) addKey(ctx context.Context) error {
	fresh := keys.Record{ID: "secret.challenge", Kind: keys.KindSecret, CreatedAt: s.config.Clock(), Private: make([]byte, store.NonceKeySize)}
	rand.Read(fresh.Private)
	sealed, err := keys.EncodeRecord(fresh, s.config.EncryptionKey)
	if err != nil {
		return err
	}
	_, err = s.db.change(ctx, `INSERT INTO picoauth_secret (name, record) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, challengeKeyName, sealed)
	return err
}
