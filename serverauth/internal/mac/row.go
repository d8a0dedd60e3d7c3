package mac

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
)

// Row authenticates the rows of one kind that give authority, such as sessions: whoever can write to the database but
// does not know the issuer's secrets can remove such a row, and can neither make nor change one. Each kind of row has a
// purpose of its own, from which its key is derived (HKDF, RFC 5869), so that no row passes for one of another kind.
type Row struct{ macs *MACs }

// NewRow returns the MACs of a purpose, 1 or more words. The secret is asked for at every use.
func NewRow(secret func() []byte, purpose string) Row {
	var last atomic.Pointer[rowKey]
	return Row{New(func() []byte {
		now := secret()
		key := last.Load()
		if key == nil || !bytes.Equal(key.secret, now) {
			key = &rowKey{bytes.Clone(now), deriveRowKey(now, purpose)}
			last.Store(key)
		}
		return key.derived
	})}
}

// rowKey is a derived key and the secret that it is derived from.
type rowKey struct{ secret, derived []byte }

func deriveRowKey(secret []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "picoauth row: "+purpose, sha256.Size)
	if err != nil {
		panic("serverauth: " + err.Error()) // of a length or a hash that HKDF does not take
	}
	return key
}

// Of returns the HMAC-SHA-256 of a row's fields.
func (m Row) Of(fields Fields) [sha256.Size]byte { return m.macs.Of(fields, "") }

// Fields is the encoding of a row that its MAC is made over. Texts are length-prefixed and numbers are varints, so
// that two different rows of a kind never encode alike. The order and the number of the fields are those of the kind.
type Fields []byte

// Texts appends texts.
func (f Fields) Texts(all ...string) Fields {
	for _, text := range all {
		f = append(binary.AppendUvarint(f, uint64(len(text))), text...)
	}
	return f
}

// Numbers appends numbers.
func (f Fields) Numbers(all ...int64) Fields {
	for _, n := range all {
		f = binary.AppendVarint(f, n)
	}
	return f
}

// Optional appends a field that not every row of a kind has, with its name; nothing where it is empty. Such fields stand
// behind all others, in an order of their own.
func (f Fields) Optional(name, value string) Fields {
	if value == "" {
		return f
	}
	return f.Texts(name, value)
}
