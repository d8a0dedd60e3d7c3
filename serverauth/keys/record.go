package keys

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// Kind is the kind of a [Record].
type Kind string

// Kinds of records.
const (
	KindKey    Kind = "key"    // a signing key
	KindSecret Kind = "secret" // a secret that all processes share
)

// SecretSize is the size of a shared secret in bytes.
const SecretSize = 32

// secretPrefix is the prefix of a secret's name in its ID. The ID of a key is base64url, so it never contains a dot.
const secretPrefix = "secret."

var secretID = regexp.MustCompile(`^secret\.[a-z0-9][a-z0-9_-]{0,31}$`)

// Record is one entry of a [Store]. The state of a key follows from its times, those of the other keys, and the clock. Times are in
// UTC with milliseconds.
type Record struct {
	// ID is the key's `kid`, its RFC 7638 thumbprint (43 characters of base64url), or "secret." and a secret's name.
	ID string
	// Kind is KindKey or KindSecret; a secret has ID, CreatedAt and Private only.
	Kind Kind
	// Algorithm is the key's `alg`.
	Algorithm string
	// CreatedAt is the time at which the key was first published.
	CreatedAt time.Time
	// ActivatesAt is the time from which the key signs. Zero: it is a spare without an activation time.
	ActivatesAt time.Time
	// CompromisedAt is the time at which the key was reported as compromised. The record is then a tombstone without a private part.
	CompromisedAt time.Time
	// TokenLifetime is the maximum lifetime of a token that the key may have signed, in whole seconds.
	TokenLifetime time.Duration
	// Public is the public JWK.
	Public []byte
	// Private is PKCS #8 DER (RSA, EC, Ed25519), the 32-byte seed (ML-DSA), or the 32 bytes of a secret. It is empty for a key that
	// will not sign again.
	Private []byte
}

// canSign reports whether the record is a key that can sign tokens.
func (r *Record) canSign() bool {
	return r.Kind == KindKey && len(r.Private) > 0 && r.CompromisedAt.IsZero()
}

// Validate checks the format of the record, that the id is the thumbprint of the public part, and that the private part belongs to
// it. It returns [ErrInvalidRecord]. [DecodeRecord] calls it.
func (r Record) Validate() error {
	if r.CreatedAt.IsZero() {
		return fmt.Errorf("%w: no creation time", ErrInvalidRecord)
	}
	switch r.Kind {
	case KindKey:
		_, err := newMaterial(r)
		return err
	case KindSecret:
		if !secretID.MatchString(r.ID) || len(r.Private) != SecretSize || r.Public != nil || r.Algorithm != "" {
			return fmt.Errorf("%w: not a secret", ErrInvalidRecord)
		}
		return nil
	}
	return fmt.Errorf("%w: kind %.16q", ErrInvalidRecord, r.Kind)
}

// Equal reports whether both records have the same contents.
func (r Record) Equal(o Record) bool {
	return r.ID == o.ID && r.Kind == o.Kind && r.Algorithm == o.Algorithm && r.TokenLifetime == o.TokenLifetime &&
		r.CreatedAt.Equal(o.CreatedAt) && r.ActivatesAt.Equal(o.ActivatesAt) && r.CompromisedAt.Equal(o.CompromisedAt) &&
		bytes.Equal(r.Public, o.Public) && bytes.Equal(r.Private, o.Private)
}

// Clone returns a copy that shares no memory with r.
func (r Record) Clone() Record {
	r.Public, r.Private = bytes.Clone(r.Public), bytes.Clone(r.Private)
	return r
}

// String returns kind, id and algorithm, never the private part.
func (r Record) String() string { return fmt.Sprintf("%s %s (%s)", r.Kind, r.ID, r.Algorithm) }

// Format writes String for every verb, so that printing never shows the private part.
func (r Record) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.String()) }

// LogValue keeps the private part out of logs.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.String()) }

// CloneAll returns copies of the records that share no memory with them.
func CloneAll(records []Record) []Record {
	clones := make([]Record, len(records))
	for i, r := range records {
		clones[i] = r.Clone()
	}
	return clones
}

// sameRecords reports whether a and b contain the same records, in any order.
func sameRecords(a, b []Record) bool {
	written, deleted := Changes(a, b)
	return len(written) == 0 && len(deleted) == 0
}

// Changes returns the records that a [Store] has to write, and then the ids to delete, to get from before to after.
func Changes(before, after []Record) (written []Record, deleted []string) {
	old := make(map[string]Record, len(before))
	for _, r := range before {
		old[r.ID] = r
	}
	for _, r := range after {
		if o, found := old[r.ID]; !found || !o.Equal(r) {
			written = append(written, r)
		}
		delete(old, r.ID)
	}
	for _, r := range before {
		if _, gone := old[r.ID]; gone {
			deleted = append(deleted, r.ID)
		}
	}
	return written, deleted
}
