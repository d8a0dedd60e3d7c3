package keys

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
)

// Secret returns the shared secret with the name: 32 random bytes that are generated once and are the same in all processes with
// this store. A name has 1 to 32 characters of a to z, 0 to 9, "_" and "-", and begins with a letter or digit. For repeated use see
// [Ring.LiveSecret].
func (r *Ring) Secret(ctx context.Context, name string) ([]byte, error) {
	id := secretPrefix + name
	if !secretID.MatchString(id) {
		return nil, fmt.Errorf("keys: %.64q is not a valid name of a secret", name)
	}
	if secret := r.view.Load().secrets[id]; secret != nil {
		return bytes.Clone(secret), nil
	}
	if err := r.change(ctx, func(b *keySet) error { b.ensureSecret(id); return nil }); err != nil {
		return nil, err
	}
	return bytes.Clone(r.view.Load().secrets[id]), nil
}

// LiveSecret returns a function that returns the current shared secret with the name. The secret changes if the store was emptied
// or an older copy of it was restored, and a process generated a new one. The function is fast and safe for concurrent use; its
// result must not be changed.
func (r *Ring) LiveSecret(ctx context.Context, name string) (func() []byte, error) {
	if _, err := r.Secret(ctx, name); err != nil {
		return nil, err
	}
	id := secretPrefix + name
	return func() []byte { return r.view.Load().secrets[id] }, nil
}

func (b *keySet) ensureSecret(id string) {
	if slices.ContainsFunc(b.records, func(r *Record) bool { return r.ID == id }) {
		return
	}
	private := make([]byte, SecretSize)
	rand.Read(private) // never fails: crypto/rand ends the program instead
	b.records = append(b.records, &Record{ID: id, Kind: KindSecret, CreatedAt: b.now, Private: private})
}

// upkeep maintains the keys, and generates new secrets for those that the store has lost.
func (r *Ring) upkeep(b *keySet) error {
	if err := b.maintain(); err != nil {
		return err
	}
	for id := range r.view.Load().secrets {
		b.ensureSecret(id)
	}
	return nil
}
