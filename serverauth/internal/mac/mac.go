// Package mac authenticates what the issuer makes and reads back itself: nonces, refresh tokens and the rows of a store.
package mac

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// MACs computes HMAC-SHA-256 (RFC 2104), without an allocation. It asks for its key at every use, since a key that is kept
// in a store is another one after the store was emptied or an old copy of it was put back. It is safe for concurrent use.
type MACs struct {
	key  func() []byte
	pool sync.Pool // of *macState
}

// macState has the input and the output of a hash beside it: handed to a hash from elsewhere, both would be allocated.
type macState struct {
	key   []byte
	hash  hash.Hash
	input []byte
	sum   [sha256.Size]byte
}

// New returns the MACs under a key, which it asks for at every use.
func New(key func() []byte) *MACs {
	return &MACs{key: key, pool: sync.Pool{New: func() any { return &macState{} }}}
}

// Fixed is the source of a key that never changes.
func Fixed(key []byte) func() []byte { return func() []byte { return key } }

// Of returns the MAC of two texts, one after the other.
func (m *MACs) Of(first []byte, second string) [sha256.Size]byte {
	s := m.pool.Get().(*macState)
	defer m.pool.Put(s)
	if key := m.key(); s.hash == nil || !bytes.Equal(s.key, key) {
		s.key, s.hash = bytes.Clone(key), hmac.New(sha256.New, key)
	}
	s.input = append(append(s.input[:0], first...), second...)
	s.hash.Reset()
	s.hash.Write(s.input)
	s.hash.Sum(s.sum[:0])
	clear(s.input) // it may have been a password
	return s.sum
}
