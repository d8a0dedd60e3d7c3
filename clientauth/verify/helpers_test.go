package verify_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/testutil/tokentest"
)

const (
	issuerName = tokentest.IssuerName
	audience   = tokentest.Audience
)

type (
	clock  = tokentest.Clock
	signer = tokentest.Signer
	server = tokentest.Server
	object = tokentest.Object
)

var (
	epoch       = tokentest.Epoch
	newClock    = tokentest.NewClock
	signers     = tokentest.Signers
	fresh       = tokentest.Fresh
	keysOf      = tokentest.KeysOf
	trusting    = tokentest.Trusting
	with        = tokentest.With
	claims      = tokentest.Claims
	newServer   = tokentest.NewServer
	serveText   = tokentest.ServeText
	serveStatus = tokentest.ServeStatus
	serveKeys   = tokentest.ServeKeys
	eventually  = tokentest.Eventually

	quiet     = slog.New(slog.DiscardHandler)
	discarded = log.New(io.Discard, "", 0)
)

func must[T any](value T, err error) T { return tokentest.Must(value, err) }

// countingKeys is a KeySet that counts how often it is asked.
type countingKeys struct {
	verify.KeySet
	calls atomic.Int64
}

func (k *countingKeys) Key(ctx context.Context, kid, alg string) (*jose.Key, error) {
	k.calls.Add(1)
	return k.KeySet.Key(ctx, kid, alg)
}

func newValidator(t testing.TB, cfg verify.ValidatorConfig) *verify.TokenValidator {
	t.Helper()
	v, err := verify.NewTokenValidator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// lockedBuffer takes a log that several goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

// take returns what was written, and empties the buffer.
func (b *lockedBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

// long says whether the long loops run.
func long() bool { return os.Getenv("PICOAUTH_LONG") != "" }

// inUse is the live heap in bytes.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
