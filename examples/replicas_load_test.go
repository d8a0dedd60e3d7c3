package examples_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// failover is a client of two instances. It moves a request to the other one only if nobody can have read it, or where
// lossy is set, if the connection to the first ends. A balancer also asks the instances whether they are ready.
type failover struct {
	urls     [2]string
	lossy    bool
	notReady [2]atomic.Bool

	requests, moved, reset atomic.Int64
}

// post sends a request to an instance, or else to the other one. Any answer but 200 is an error.
func (f *failover) post(ctx context.Context, first int, path string, in, out any) error {
	f.requests.Add(1)
	if f.notReady[first].Load() {
		first = 1 - first
	}
	answer, err := send(ctx, oneShot, "POST", f.urls[first]+authPath+path, "", in)
	if f.unread(err) || f.lossy && err != nil && first == 0 {
		f.moved.Add(1)
		answer, err = send(ctx, oneShot, "POST", f.urls[1-first]+authPath+path, "", in)
	}
	switch {
	case err != nil:
		return err
	case answer.status != http.StatusOK:
		return fmt.Errorf("%s: %d %s", path, answer.status, answer.body)
	default:
		return json.Unmarshal([]byte(answer.body), out)
	}
}

// unread tells that there was no connection, or one that the system had taken and that no process has seen when the
// port was closed. A server that drops what it has read is neither.
func (f *failover) unread(err error) bool {
	var failure *net.OpError
	switch {
	case errors.As(err, &failure) && failure.Op == "dial":
		return true
	case errors.Is(err, syscall.ECONNRESET):
		f.reset.Add(1)
		return true
	default:
		return false
	}
}

// balance asks for readiness until the test ends.
func (f *failover) balance(ctx context.Context) {
	for ctx.Err() == nil {
		for i, url := range f.urls {
			answer, err := send(ctx, oneShot, "GET", url+"/readyz", "", nil)
			f.notReady[i].Store(err != nil || answer.status != http.StatusOK)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// live signs a wallet in and refreshes its session until ctx ends, each request at another instance. A request that has
// begun ends in any case.
func (f *failover) live(ctx context.Context, offset int) error {
	w, err := testutil.NewWallet("Ed25519")
	if err != nil {
		return err
	}
	turn := offset
	next := func() int { turn++; return turn % 2 }
	for ctx.Err() == nil {
		var challenge testutil.Challenge
		if err := f.post(context.Background(), next(), "/challenge", map[string]string{"address": w.Address}, &challenge); err != nil {
			return err
		}
		request, err := testutil.SignInRequest(w, challenge)
		if err != nil {
			return err
		}
		var tokens serverauth.Tokens
		if err := f.signIn(next(), request, &tokens); err != nil {
			return err
		}
		for range 5 {
			if err := f.post(context.Background(), next(), "/refresh", refreshBody(tokens.RefreshToken), &tokens); err != nil {
				return err
			}
		}
	}
	return nil
}

// signIn is allowed one failure where connections get lost: the nonce was spent and the answer was not read.
func (f *failover) signIn(first int, request map[string]any, tokens *serverauth.Tokens) error {
	err := f.post(context.Background(), first, "/sign-in", request, tokens)
	if f.lossy && err != nil && first == 0 && strings.Contains(err.Error(), "invalid_challenge") {
		return errLostSignIn
	}
	return err
}

var errLostSignIn = errors.New("the answer of a sign-in was lost")

// load runs some clients until the returned function is called, which returns their errors.
func (f *failover) load(t *testing.T, clients int) (end func() []error) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var running sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for i := range clients {
		running.Go(func() {
			for ctx.Err() == nil {
				if err := f.live(ctx, i); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	return func() []error {
		cancel()
		running.Wait()
		return errs
	}
}

// more waits until the clients have made so many more requests.
func (f *failover) more(t *testing.T, requests int64) {
	t.Helper()
	want := f.requests.Load() + requests
	require.Eventually(t, func() bool { return f.requests.Load() >= want }, patience, 5*time.Millisecond)
}

// rollingRestart restarts one instance after the other, as a deployment does, and no request fails.
func rollingRestart(t *testing.T, environ []string, balanced bool) {
	a, b := startPair(t, environ)
	clients := &failover{urls: [2]string{a.url, b.url}}
	if balanced {
		go clients.balance(t.Context())
	}
	end := clients.load(t, 4)
	rounds := 2
	if long() {
		rounds = 30
	}
	for range rounds {
		for _, r := range []*replica{a, b} {
			clients.more(t, 50)
			r.stop()
			clients.more(t, 50)
			r.start()
			require.Eventually(t, func() bool { return !clients.notReady[0].Load() && !clients.notReady[1].Load() }, patience, 10*time.Millisecond)
		}
	}
	clients.more(t, 50)
	for i, err := range end() {
		if i < 10 {
			t.Error(err)
		}
	}
	if balanced {
		assert.Zero(t, clients.moved.Load(), "nobody even tries an instance that goes away")
	} else {
		assert.Positive(t, clients.moved.Load(), "the restarts were noticed")
	}
	t.Logf("%d requests during %d restarts, %d moved to the other instance, of which %d were reset by the system unread",
		clients.requests.Load(), 2*rounds, clients.moved.Load(), clients.reset.Load())
}

// killedInTheMiddle kills the first instance under load: all sessions go on at the second, which fails nobody.
func killedInTheMiddle(t *testing.T, environ []string) {
	a, b := startPair(t, environ)
	clients := &failover{urls: [2]string{a.url, b.url}, lossy: true}
	end := clients.load(t, 6)
	rounds := 3
	if long() {
		rounds = 30
	}
	for range rounds {
		clients.more(t, 100)
		a.kill()
		clients.more(t, 50)
		assert.Equal(t, 200, get(t, b.url+"/readyz", "").status)
		a.start()
	}
	clients.more(t, 50)
	lost := 0
	for _, err := range end() {
		if errors.Is(err, errLostSignIn) {
			lost++
			continue
		}
		t.Error(err)
	}
	assert.LessOrEqual(t, lost, 6*rounds)
	t.Logf("%d requests during %d kills, %d moved to the other instance, %d sign-ins begun anew",
		clients.requests.Load(), rounds, clients.moved.Load(), lost)
}
