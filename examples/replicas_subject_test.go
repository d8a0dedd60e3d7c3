package examples_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

// received is what a client of the subject was given, and when.
type received struct {
	tokens    serverauth.Tokens
	asked, at time.Time
}

// subjectUnderLoad is one wallet that signs in and refreshes at two instances, fifty times at once.
type subjectUnderLoad struct {
	wallet    *testutil.Wallet
	instances []*replica

	mu  sync.Mutex
	all []received
}

func (s *subjectUnderLoad) keep(tokens serverauth.Tokens, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, received{tokens, asked, time.Now()})
}

func (s *subjectUnderLoad) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// signIn signs in again and again until ctx ends.
func (s *subjectUnderLoad) signIn(ctx context.Context, t *testing.T, n int) {
	for turn := n; ctx.Err() == nil; turn++ {
		asked := time.Now()
		in, err := testutil.SignIn(t.Context(), s.instances[turn%2].url, s.wallet)
		if !assert.NoError(t, err) { // the one that meets the revocation waits and succeeds
			return
		}
		s.keep(in.Tokens, asked)
	}
}

// refresh goes on with a session until it has ended, which nothing but the revocation may do.
func (s *subjectUnderLoad) refresh(ctx context.Context, t *testing.T, n int, tokens serverauth.Tokens) {
	for turn := n; ctx.Err() == nil; turn++ {
		asked := time.Now()
		answer, err := send(t.Context(), http.DefaultClient, "POST", s.instances[turn%2].url+authPath+"/refresh", "", refreshBody(tokens.RefreshToken))
		if !assert.NoError(t, err) {
			return
		}
		if answer.status != 200 {
			assert.Equal(t, 401, answer.status, answer.body)
			assert.Contains(t, answer.body, "session has ended")
			return
		}
		if assert.NoError(t, json.Unmarshal([]byte(answer.body), &tokens)) {
			s.keep(tokens, asked)
		}
	}
}

// subjectRevokedUnderLoad: nothing that was issued before the reply is accepted after it, and all that was asked for
// after it is.
func subjectRevokedUnderLoad(t *testing.T, a, b *replica) {
	const clients = 50
	operator := login(t, a.url)
	s := &subjectUnderLoad{wallet: newWallet(t), instances: []*replica{a, b}}
	var sessions []serverauth.Tokens
	for n := range clients / 2 {
		in, err := testutil.SignIn(t.Context(), s.instances[n%2].url, s.wallet)
		require.NoError(t, err)
		sessions = append(sessions, in.Tokens)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for n, tokens := range sessions {
		running.Go(func() { s.signIn(ctx, t, n) })
		running.Go(func() { s.refresh(ctx, t, n, tokens) })
	}
	require.Eventually(t, func() bool { return s.count() >= 2*clients }, patience, time.Millisecond)
	item := decode[struct{ Revoked store.Revocation }](t, a.ask(t, "POST", "/revoke", operator, map[string]string{"sub": s.wallet.Address})).Revoked
	replied := time.Now()
	before := s.count()
	require.Eventually(t, func() bool { return s.count() >= before+clients }, patience, time.Millisecond)
	cancel()
	running.Wait()

	// The denylist's own second ended before the reply. If this machine had no time for the test meanwhile, what was
	// issued after the reply may have been received before it, but none as of that second.
	late := replied.Sub(time.Unix(item.RevokedAt+1, 0)) > 150*time.Millisecond
	dead, alive := 0, 0
	for _, r := range s.all {
		issued := claim[int64](t, r.tokens.AccessToken, "iat")
		switch {
		case r.at.Before(replied) && (!late || issued <= item.RevokedAt):
			dead++
			assert.False(t, a.active(t, operator, r.tokens.AccessToken), "issued at %d, the subject revoked at %d", issued, item.RevokedAt)
			b.refusedWithin(t, 2*time.Second, operator, r.tokens.AccessToken)
			assert.Equal(t, 401, b.refresh(t, r.tokens.RefreshToken).status)
		case r.asked.After(replied):
			alive++
			assert.True(t, a.active(t, operator, r.tokens.AccessToken), "issued at %d, the subject revoked at %d", issued, item.RevokedAt)
			assert.True(t, b.active(t, operator, r.tokens.AccessToken))
		}
	}
	assert.Positive(t, dead)
	assert.Positive(t, alive)
	t.Logf("%d tokens before the reply are refused, %d of later requests accepted; the reply came %s after the second that it names",
		dead, alive, replied.Sub(time.Unix(item.RevokedAt+1, 0)))
}
