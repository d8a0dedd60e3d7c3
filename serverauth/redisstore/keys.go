package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app/redisclient"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	keyRecords = keyTag + "records" // a hash of encoded records by id
	keyDamaged = keyTag + "damaged" // the same for records that could not be read
	// keyVersion is the field of the records that changes with every update. No id is empty.
	keyVersion = ""
)

// errNoEncryptionKey is returned by the key store. Other stores need no encryption key.
var errNoEncryptionKey = errors.New("redisstore: server_auth.key_encryption_key is required: the signing keys are kept in Redis")

// keyStore is a keys.Store: a hash that is replaced in an optimistic transaction, which is retried if another process was faster.
type keyStore struct {
	db  database
	key *keys.EncryptionKey
	log *slog.Logger

	updating chan struct{} // serialises the updates of this process, so that they need no retries

	seen atomic.Pointer[keySnapshot] // the last one that was read
}

func newKeyStore(db database, c store.BackendConfig) *keyStore {
	s := &keyStore{db: db, key: c.EncryptionKey, log: c.Log, updating: make(chan struct{}, 1)}
	s.seen.Store(&keySnapshot{})
	return s
}

// keySnapshot is the content of the hash at a version. An empty hash has an empty version.
type keySnapshot struct {
	version string
	records []keys.Record     // by ascending ids
	damaged map[string]string // unchanged, by id
}

// Load implements keys.Store. If the version has not changed, it reads only that.
func (s *keyStore) Load(ctx context.Context) ([]keys.Record, error) {
	if s.key == nil {
		return nil, errNoEncryptionKey
	}
	version, err := s.db.do(ctx, "HGET", keyRecords, keyVersion)
	if err != nil {
		return nil, err
	}
	seen := s.seen.Load()
	if version != seen.version || seen.version == "" {
		if seen, err = s.read(ctx, s.db.client); err != nil {
			return nil, err
		}
		s.seen.Store(seen)
	}
	if len(seen.damaged) > 0 {
		err = s.Update(ctx, func(records []keys.Record) ([]keys.Record, error) { return records, nil })
	}
	return keys.CloneAll(seen.records), err
}

// read reads the whole hash. A damaged record is left out.
func (s *keyStore) read(ctx context.Context, from redisclient.Processor) (*keySnapshot, error) {
	value, err := redisclient.Do(ctx, from, "HGETALL", keyRecords)
	if err != nil {
		return nil, err
	}
	snapshot := &keySnapshot{damaged: make(map[string]string)}
	for field := range slices.Chunk(texts(value), 2) {
		id, text := field[0], field[1]
		if id == keyVersion {
			snapshot.version = text
			continue
		}
		record, err := keys.DecodeRecord([]byte(text), s.key)
		switch {
		case errors.Is(err, keys.ErrCorrupt), err == nil && record.ID != id:
			snapshot.damaged[id] = text
		case err != nil:
			return nil, fmt.Errorf("redisstore: %s: %w", id, err)
		default:
			snapshot.records = append(snapshot.records, record)
		}
	}
	slices.SortFunc(snapshot.records, func(a, b keys.Record) int { return strings.Compare(a.ID, b.ID) })
	return snapshot, nil
}

// Update implements keys.Store. It writes all changes in one transaction.
func (s *keyStore) Update(ctx context.Context, change func([]keys.Record) ([]keys.Record, error)) error {
	if s.key == nil {
		return errNoEncryptionKey
	}
	select {
	case s.updating <- struct{}{}:
		defer func() { <-s.updating }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var refused error // of change; it is returned unchanged
	try := func(records []keys.Record) (after []keys.Record, err error) {
		after, refused = change(records)
		return after, refused
	}
	for {
		err := s.db.client.Watch(ctx, func(tx *redis.Tx) error { return s.update(ctx, tx, try) }, keyRecords)
		if refused != nil {
			return refused
		}
		if !errors.Is(err, redis.TxFailedErr) {
			return redisclient.Failed(ctx, err)
		}
		if err := ctx.Err(); err != nil {
			return redisclient.Failed(ctx, err)
		}
	}
}

// update is one attempt. Its transaction fails if the hash has changed since it was read.
func (s *keyStore) update(ctx context.Context, tx *redis.Tx, change func([]keys.Record) ([]keys.Record, error)) error {
	before, err := s.read(ctx, tx)
	if err != nil {
		return err
	}
	after, err := change(keys.CloneAll(before.records))
	if err != nil {
		return err
	}
	written, gone := keys.Changes(before.records, after)
	if len(written)+len(gone)+len(before.damaged) == 0 {
		return nil
	}
	_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for id, text := range before.damaged {
			p.HSet(ctx, keyDamaged, id, text)
			p.HDel(ctx, keyRecords, id)
		}
		for _, record := range written {
			text, err := keys.EncodeRecord(record, s.key)
			if err != nil {
				return err // nothing has been sent
			}
			p.HSet(ctx, keyRecords, record.ID, text)
		}
		if len(gone) > 0 {
			p.HDel(ctx, keyRecords, gone...)
		}
		p.HSet(ctx, keyRecords, keyVersion, rand.Text())
		return nil
	})
	if err == nil {
		for id := range before.damaged {
			s.log.ErrorContext(ctx, "keys: a damaged record is ignored", "kid", id, "kept_in", keyDamaged)
		}
	}
	return err
}
