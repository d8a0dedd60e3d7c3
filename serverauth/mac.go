package serverauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// macs computes HMAC-SHA-256 (RFC 2104) with one key, without an allocation. It is safe for concurrent use.
type macs struct {
	pool sync.Pool // of *macState
}

// macState has the input and the output of a hash beside it: handed to a hash from elsewhere, both would be allocated.
type macState struct {
	hash  hash.Hash
	input []byte
	sum   [sha256.Size]byte
}

func newMACs(key []byte) *macs {
	return &macs{sync.Pool{New: func() any { return &macState{hash: hmac.New(sha256.New, key)} }}}
}

// of returns the MAC of two texts, one after the other.
func (m *macs) of(first []byte, second string) [sha256.Size]byte {
	s := m.pool.Get().(*macState)
	defer m.pool.Put(s)
	s.input = append(append(s.input[:0], first...), second...)
	s.hash.Reset()
	s.hash.Write(s.input)
	s.hash.Sum(s.sum[:0])
	clear(s.input) // it may have been a password
	return s.sum
}
