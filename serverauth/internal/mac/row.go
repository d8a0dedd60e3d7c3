package mac

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
)

// Row authenticates the rows of one kind that give rights, such as sessions. Somebody who can write to the database but does not
// know the issuer's secret can remove such a row, but cannot create or change one. The key is derived (HKDF, RFC 5869) from the
// secret and the purpose of the kind, so that a row is not valid as one of another kind.
type Row struct{ macs *MACs }

// NewRow returns the MACs for a purpose, such as "session". It calls secret for every use.
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
		panic("serverauth: " + err.Error()) // impossible: the length and the hash are constants
	}
	return key
}

// Of returns the HMAC-SHA-256 of a row's fields.
func (m Row) Of(fields Fields) [sha256.Size]byte { return m.macs.Of(fields, "") }

// Fields is the encoding of a row for its MAC. Texts are length-prefixed and numbers are varints, so that two different rows of
// a kind never encode alike. Each kind has a fixed number and order of fields.
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

// Optional appends the name and the value of a field that not every row of a kind has; nothing if the value is empty. Such fields
// come after all others, in a fixed order.
func (f Fields) Optional(name, value string) Fields {
	if value == "" {
		return f
	}
	return f.Texts(name, value)
}
