package client

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"sync/atomic"

	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/internal/password"
)

// secret verifies the secret that a client sends. The time that it takes does not reveal the right one.
type secret struct {
	check  password.Check
	costly bool // it is a password hash, which takes long to compute
	// right is the MAC, with a key of this process, of the secret that a costly check has accepted. It is accepted from then on
	// without that check.
	right atomic.Pointer[[sha256.Size]byte]
}

// configuredSecret reads a plain secret or a PHC string.
func configuredSecret(text string) *secret {
	check, err := password.New(text)
	if err != nil {
		return nil // Settings.Validate refuses it; no secret matches
	}
	return &secret{check: check, costly: password.IsHash(text)}
}

// digestSecret compares with the SHA-256 of a secret that this server made, which is random and cannot be guessed.
func digestSecret(digest [sha256.Size]byte) *secret {
	return &secret{check: func(text string) bool {
		got := sha256.Sum256([]byte(text))
		return subtle.ConstantTimeCompare(got[:], digest[:]) == 1
	}}
}

// matches reports whether a secret is the right one. Few costly checks run at once. If the server is too busy, the error is a
// too_many_requests, and the client can try again later.
func (s *secret) matches(ctx context.Context, gate password.Gate, text string) (bool, error) {
	if s == nil {
		return false, nil
	}
	if !s.costly {
		return s.check(text), nil
	}
	sum := processMACs.Of(nil, text)
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

// processMACs have a key that never leaves the process.
var processMACs = mac.New(mac.Fixed([]byte(rand.Text())))
