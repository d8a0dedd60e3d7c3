package sqlcore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// ErrKeyRequired is returned by a key store in a database for which there is no encryption key.
var ErrKeyRequired = errors.New("server_auth.key_encryption_key is required: the signing keys are kept in a database")

// keyStore stores each record in a row, encrypted. It sets damaged rows aside and logs them.
type keyStore struct {
	db  *database
	key *keys.EncryptionKey // nil: ErrKeyRequired
	now app.Clock
	log *slog.Logger

	mu      sync.Mutex
	version int64 // of the last reading
	records []keys.Record
}

// Load implements keys.Store. If nothing has changed, it reads only the version.
func (s *keyStore) Load(ctx context.Context) ([]keys.Record, error) {
	if s.key == nil {
		return nil, ErrKeyRequired
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := keyRows{store: s}
	err := s.db.read(ctx, Statement{
		SQL: `SELECT v.version, k.id, k.record FROM picoauth_key_version v
			LEFT JOIN picoauth_key k ON v.version <> $1 AND k.aside_ms = 0 ORDER BY k.id`,
		Args: []any{s.version}, Read: found.read,
	})
	if err == nil {
		err = found.err
	}
	if err != nil {
		return nil, err
	}
	if found.version != s.version {
		found.report(ctx)
		s.version, s.records = found.version, found.records
	}
	return keys.CloneAll(s.records), nil
}

// Update implements keys.Store. It writes everything or nothing.
func (s *keyStore) Update(ctx context.Context, change func([]keys.Record) ([]keys.Record, error)) error {
	if s.key == nil {
		return ErrKeyRequired
	}
	return s.db.exclusively(ctx, "keys", func(tx Tx) error {
		found := keyRows{store: s}
		err := tx.Do(ctx, Statement{
			SQL: `SELECT 0, id, record FROM picoauth_key WHERE aside_ms = 0 ORDER BY id`, Read: found.read,
		})
		if err = errors.Join(err, found.err); err != nil {
			return err
		}
		found.report(ctx)
		after, err := change(keys.CloneAll(found.records))
		if err != nil {
			return err
		}
		changes := s.setAside(found.damaged)
		written, err := s.changes(found.records, after)
		if err != nil {
			return err
		}
		if changes = append(changes, written...); len(changes) == 0 {
			return nil
		}
		for _, statement := range append(changes, newVersion()) {
			if err := tx.Do(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// changes returns the statements that change one set of records into another.
func (s *keyStore) changes(before, after []keys.Record) (statements []Statement, err error) {
	written, deleted := keys.Changes(before, after)
	for _, r := range written {
		sealed, err := keys.EncodeRecord(r, s.key)
		if err != nil {
			return nil, err
		}
		statements = append(statements, Statement{
			SQL: `INSERT INTO picoauth_key (id, aside_ms, record) VALUES ($1, 0, $2)
				ON CONFLICT (id, aside_ms) DO UPDATE SET record = excluded.record`,
			Args: []any{r.ID, sealed},
		})
	}
	for _, id := range deleted {
		statements = append(statements, Statement{SQL: `DELETE FROM picoauth_key WHERE id = $1 AND aside_ms = 0`, Args: []any{id}})
	}
	return statements, nil
}

// newVersion sets a random version, so that no version is used again after a lost commit, when it would stand for other keys.
func newVersion() Statement {
	var random [8]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	version := int64(binary.BigEndian.Uint64(random[:]) >> 1)
	return Statement{SQL: `UPDATE picoauth_key_version SET version = $1`, Args: []any{version}}
}

// setAside returns the statements that keep damaged rows for the operator to inspect.
func (s *keyStore) setAside(ids []string) (statements []Statement) {
	for _, id := range ids {
		statements = append(statements, Statement{
			SQL: `UPDATE picoauth_key SET aside_ms = $2 WHERE id = $1 AND aside_ms = 0`, Args: []any{id, s.now().UnixMilli()},
		})
	}
	return statements
}

// keyRows is the result of reading the table of keys.
type keyRows struct {
	store   *keyStore
	version int64
	records []keys.Record
	damaged []string // ids
	err     error    // for an undamaged record that cannot be read with this configuration
}

func (k *keyRows) read(scan Scan) error {
	var id *string // NULL if there is no record
	var sealed []byte
	if err := scan(&k.version, &id, &sealed); err != nil || id == nil {
		return err
	}
	record, err := keys.DecodeRecord(sealed, k.store.key)
	switch {
	case errors.Is(err, keys.ErrCorrupt) || err == nil && record.ID != *id:
		k.damaged = append(k.damaged, *id)
	case err != nil:
		k.err = fmt.Errorf("key %s: %w", *id, err)
	default:
		k.records = append(k.records, record)
	}
	return nil
}

func (k *keyRows) report(ctx context.Context) {
	for _, id := range k.damaged {
		k.store.log.ErrorContext(ctx, "keys: a damaged record in the table picoauth_key is ignored", "id", id)
	}
}
