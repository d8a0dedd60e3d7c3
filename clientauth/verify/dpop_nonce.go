package verify

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// headerNonce is the header with the nonce for the next proofs (RFC 9449, section 8), as net/http writes it.
const headerNonce = "Dpop-Nonce"

// A nonce belongs to a minute: it consists of 8 bytes with the minute and a MAC of 16 bytes. It is accepted in that
// minute and in the five after it. From the second minute after it on, the reply contains the next nonce.
const (
	nonceSeconds = 60
	nonceLife    = 5
	nonceOld     = 2
	nonceMAC     = 16
)

// proofNonces makes and verifies nonces without storing them.
type proofNonces struct {
	key func(context.Context) ([]byte, error)
}

// newProofNonces returns nonces that are made with a key; nil: a random key of this process.
func newProofNonces(key func(context.Context) ([]byte, error)) *proofNonces {
	if key == nil {
		random := make([]byte, sha256.Size)
		rand.Read(random) // never fails: crypto/rand ends the program instead
		key = func(context.Context) ([]byte, error) { return random, nil }
	}
	return &proofNonces{key}
}

// current returns the nonce for a time.
func (n *proofNonces) current(ctx context.Context, now time.Time) (string, error) {
	key, err := n.key(ctx)
	if err != nil {
		return "", because(ErrProofsUnavailable, "%w", err)
	}
	return nonceOf(key, now.Unix()/nonceSeconds), nil
}

func nonceOf(key []byte, minute int64) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(minute))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("DPoP nonce"))
	mac.Write(text)
	return jose.EncodeBase64(mac.Sum(text)[:len(text)+nonceMAC])
}

// check returns the nonce that the client should use from now on, or "" if its own is recent enough. An invalid nonce is an
// [ErrProofNonce]. Clocks of instances may differ by the leeway.
func (n *proofNonces) check(ctx context.Context, nonce string, now time.Time, leeway int64) (next string, err error) {
	key, err := n.key(ctx)
	if err != nil {
		return "", because(ErrProofsUnavailable, "%w", err)
	}
	raw, err := jose.DecodeBase64(nonce)
	if err != nil || len(raw) != 8+nonceMAC {
		return "", explain(ErrProofNonce, "it has no nonce of this service")
	}
	at, minute := now.Unix()/nonceSeconds, int64(binary.BigEndian.Uint64(raw))
	switch {
	case !sameText(nonce, nonceOf(key, minute)):
		return "", explain(ErrProofNonce, "it has no nonce of this service")
	case at-minute > nonceLife || minute-at > 1+leeway/nonceSeconds:
		return "", explain(ErrProofNonce, "its nonce is too old")
	case at-minute >= nonceOld:
		return nonceOf(key, at), nil
	default:
		return "", nil
	}
}

// WriteNonce adds the nonce for the client's next proofs to the header of a reply, if the nonce in use is getting old. The
// handlers of an [Authenticator] call it; a program that calls [Authenticator.Authenticate] has to call it before it replies.
func WriteNonce(ctx context.Context, header http.Header) {
	if id := identityOf(ctx); id.nonce != "" {
		header.Set(headerNonce, id.nonce)
		header.Set("Cache-Control", "no-store") // or a cache could give the nonce to another client
	}
}
