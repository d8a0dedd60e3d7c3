// Package mac authenticates data that the issuer both writes and verifies: nonces, refresh tokens and the rows of a store.
package mac

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// MACs computes HMAC-SHA-256 (RFC 2104), usually without an allocation. It gets its key at every use, because a key in a store
// changes if the store is emptied or an older copy of it is restored. It is safe for concurrent use.
type MACs struct {
	key  func() []byte
	pool sync.Pool // of *macState
}

// macState contains a hash with its input and output, so that a call does not allocate them.
type macState struct {
	key   []byte
	hash  hash.Hash
	input []byte
	sum   [sha256.Size]byte
}

// New returns MACs with a key. It calls key for every use.
func New(key func() []byte) *MACs {
	return &MACs{key: key, pool: sync.Pool{New: func() any { return &macState{} }}}
}

// Fixed returns a function that always returns the given key.
func Fixed(key []byte) func() []byte { return func() []byte { return key } }

// Of returns the MAC of two texts, concatenated.
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
