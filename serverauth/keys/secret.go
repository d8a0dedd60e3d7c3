package keys

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
)

// Secret returns the shared secret of a name: 32 random bytes, made once, the same in every process on the store and
// after every restart. A name is 1 to 32 of a to z, 0 to 9, "_" and "-", and does not begin with a sign.
func (r *Ring) Secret(ctx context.Context, name string) ([]byte, error) {
	id := secretPrefix + name
	if !secretID.MatchString(id) {
		return nil, fmt.Errorf("keys: %.64q is no name for a secret", name)
	}
	if secret := r.view.Load().secret(id); secret != nil {
		return secret, nil
	}
	if err := r.change(ctx, func(b *book) error { b.ensureSecret(id); return nil }); err != nil {
		return nil, err
	}
	return r.view.Load().secret(id), nil
}

func (b *book) ensureSecret(id string) {
	for _, r := range b.records {
		if r.ID == id {
			return
		}
	}
	private := make([]byte, SecretSize)
	rand.Read(private) // never fails: crypto/rand ends the program instead
	b.records = append(b.records, &Record{ID: id, Kind: KindSecret, CreatedAt: b.now, Private: private})
}

// secret returns a copy of the secret, or nil.
func (v *view) secret(id string) []byte {
	for _, r := range v.records {
		if r.ID == id {
			return bytes.Clone(r.Private)
		}
	}
	return nil
}
