package client

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"sync/atomic"

	"github.com/picoauth/picoauth/serverauth/internal/password"
)

// secret compares what a client sends, in a time that does not depend on what it is.
type secret struct {
	check  password.Check
	costly bool // it is a hash that takes long to compute
	// right is the MAC, under a key of this process, of what a costly check has found right. The same is right from then on.
	right atomic.Pointer[[sha256.Size]byte]
}

// configuredSecret reads a plain secret or a PHC string.
func configuredSecret(text string) *secret {
	check, err := password.New(text)
	if err != nil {
		return nil // Settings.Validate refuses it; no secret is right
	}
	return &secret{check: check, costly: password.IsHash(text)}
}

// digestSecret compares with the SHA-256 of a secret that this server made: random, so that nobody finds it by guessing.
func digestSecret(digest [sha256.Size]byte) *secret {
	return &secret{check: func(text string) bool {
		got := sha256.Sum256([]byte(text))
		return subtle.ConstantTimeCompare(got[:], digest[:]) == 1
	}}
}

// matches tells whether a secret is the right one. Few costly checks run at once; the error is that of a server which is too
// busy, for whom there is a right answer later.
func (s *secret) matches(ctx context.Context, gate password.Gate, text string) (bool, error) {
	if s == nil {
		return false, nil
	}
	if !s.costly {
		return s.check(text), nil
	}
	sum := macOf(text)
	if right := s.right.Load(); right != nil && hmac.Equal(right[:], sum[:]) {
		return true, nil
	}
	leave, err := gate.Enter(ctx)
	if errors.Is(err, password.ErrBusy) {
		return false, tooMany(0)
	}
	if err != nil {
		return false, err
	}
	defer leave()
	if !s.check(text) {
		return false, nil
	}
	s.right.Store(&sum)
	return true, nil
}

// processKey never leaves the process.
var processKey = []byte(rand.Text())

func macOf(text string) (sum [sha256.Size]byte) {
	m := hmac.New(sha256.New, processKey)
	m.Write([]byte(text))
	m.Sum(sum[:0])
	return sum
}
