package examples_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

var rawURL = base64.RawURLEncoding

// TestReplicas runs two processes of one issuer on one PostgreSQL and one Redis.
func TestReplicas(t *testing.T) {
	postgres, redis := services.Postgres(t), services.Redis(t)
	for _, storage := range []struct {
		name    string
		environ []string
	}{
		{"revocations in PostgreSQL", sharedStorage(t, postgres, redis)},
		{"revocations in Redis", sharedStorage(t, postgres, redis, "SERVER_AUTH__REVOCATION_STORAGE_URL="+redis.NewDatabase(t))},
	} {
		t.Run(storage.name, func(t *testing.T) {
			a, b := startPair(t, storage.environ)
			t.Run("challenge at one, sign-in at the other", func(t *testing.T) { challengeAndSignInElsewhere(t, a, b) })
			t.Run("refresh at both at once", func(t *testing.T) { refreshAtBothAtOnce(t, a, b) })
			t.Run("revoked at one, refused at the other", func(t *testing.T) { revokedElsewhere(t, a, b) })
			t.Run("a revocation is pushed", func(t *testing.T) { revocationIsPushed(t, a, b) })
			t.Run("an operator revoked at one", func(t *testing.T) { operatorRevokedElsewhere(t, a, b) })
			t.Run("keys are shared", func(t *testing.T) { keysAreShared(t, a, b) })
			t.Run("a subject revoked during fifty sign-ins and refreshes", func(t *testing.T) { subjectRevokedUnderLoad(t, a, b) })
			t.Run("a key compromised at one", func(t *testing.T) { compromisedElsewhere(t, a, b) })
			t.Run("revoked before a restart", func(t *testing.T) { revokedBeforeRestart(t, a, b) })
		})
	}
	t.Run("one is killed in the middle", func(t *testing.T) { killedInTheMiddle(t, sharedStorage(t, postgres, redis)) })
	t.Run("a rolling restart under load", func(t *testing.T) { rollingRestart(t, sharedStorage(t, postgres, redis), false) })
	t.Run("a rolling restart behind a balancer", func(t *testing.T) {
		rollingRestart(t, sharedStorage(t, postgres, redis, "APP__SHUTDOWN_DELAY_SECONDS=1"), true)
	})
}

func challengeAndSignInElsewhere(t *testing.T, a, b *replica) {
	for _, algorithm := range []string{"ML-DSA-65", "Ed25519", "secp256k1", "eip191", testutil.SolanaWallet} {
		w, err := testutil.NewWallet(algorithm)
		require.NoError(t, err)
		request := a.signInRequest(t, w)
		in := decode[testutil.SignedIn](t, b.ask(t, "POST", "/sign-in", "", request))
		for _, r := range []*replica{a, b} {
			assert.True(t, r.active(t, login(t, r.url), in.AccessToken), algorithm)
			replayed := r.ask(t, "POST", "/sign-in", "", request)
			assert.Equal(t, 401, replayed.status)
			assert.Contains(t, replayed.body, "invalid_challenge")
		}
	}
	for range 10 {
		request := a.signInRequest(t, newWallet(t))
		answers := both(t, a, b, "/sign-in", request)
		assert.ElementsMatch(t, []int{200, 401}, []int{answers[0].status, answers[1].status}, "exactly one wins")
	}
}

// both sends a request to both instances at once.
func both(t *testing.T, a, b *replica, path string, in any) (answers [2]reply) {
	t.Helper()
	var errs [2]error
	var sending sync.WaitGroup
	for i, r := range []*replica{a, b} {
		sending.Go(func() { answers[i], errs[i] = send(t.Context(), oneShot, "POST", r.url+authPath+path, "", in) })
	}
	sending.Wait()
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	return answers
}

func refreshAtBothAtOnce(t *testing.T, a, b *replica) {
	operator := login(t, a.url)
	current := a.signIn(t).Tokens
	for range 20 {
		answers := both(t, a, b, "/refresh", refreshBody(current.RefreshToken))
		one, other := decode[serverauth.Tokens](t, answers[0]), decode[serverauth.Tokens](t, answers[1])
		require.Equal(t, one.RefreshToken, other.RefreshToken, "the same token, byte for byte")
		require.NotEqual(t, current.RefreshToken, one.RefreshToken)
		for _, access := range []string{one.AccessToken, other.AccessToken} {
			require.True(t, a.active(t, operator, access))
			require.True(t, b.active(t, operator, access))
		}
		current = one
	}
	first := a.signIn(t).Tokens
	second := decode[serverauth.Tokens](t, b.refresh(t, first.RefreshToken))
	third := decode[serverauth.Tokens](t, a.refresh(t, second.RefreshToken))
	assert.Equal(t, 401, b.refresh(t, first.RefreshToken).status, "a token that is older than the previous one")
	assert.Equal(t, 401, a.refresh(t, third.RefreshToken).status, "has ended the session")
	for _, tokens := range []serverauth.Tokens{first, second, third} {
		a.refusedWithin(t, 2*time.Second, operator, tokens.AccessToken)
	}
}

func revokedElsewhere(t *testing.T, a, b *replica) {
	operator := login(t, a.url)
	for _, test := range []struct {
		name, path string
		body       func(in testutil.SignedIn) map[string]string
		ends       bool // the session
	}{
		{"jti", "/revoke", func(in testutil.SignedIn) map[string]string {
			return map[string]string{"jti": claim[string](t, in.AccessToken, "jti")}
		}, false},
		{"sid", "/revoke", func(in testutil.SignedIn) map[string]string {
			return map[string]string{"sid": claim[string](t, in.AccessToken, "sid")}
		}, true},
		{"sub", "/revoke", func(in testutil.SignedIn) map[string]string { return map[string]string{"sub": in.Address} }, true},
		{"logout", "/logout", func(in testutil.SignedIn) map[string]string { return refreshBody(in.RefreshToken) }, true},
	} {
		in := b.signIn(t)
		require.True(t, b.active(t, operator, in.AccessToken))
		answer := a.ask(t, "POST", test.path, operator, test.body(in))
		require.Equal(t, 2, answer.status/100, answer.body)
		assert.False(t, a.active(t, operator, in.AccessToken), "%s: where it was revoked", test.name)
		t.Logf("%s: refused elsewhere after %s", test.name, b.refusedWithin(t, 2*time.Second, operator, in.AccessToken))
		assert.Equal(t, test.ends, b.refresh(t, in.RefreshToken).status == 401, test.name)
	}
}

// revocationIsPushed tells pushing from polling once a second, by the median of several.
func revocationIsPushed(t *testing.T, a, b *replica) {
	operator := login(t, a.url)
	var took []time.Duration
	for range 11 {
		in := b.signIn(t)
		require.True(t, b.active(t, operator, in.AccessToken))
		decode[any](t, a.ask(t, "POST", "/revoke", operator, map[string]string{"jti": claim[string](t, in.AccessToken, "jti")}))
		took = append(took, b.refusedWithin(t, 2*time.Second, operator, in.AccessToken))
	}
	slices.Sort(took)
	t.Logf("median %s, longest %s", took[len(took)/2], took[len(took)-1])
	assert.Less(t, took[len(took)/2], 100*time.Millisecond)
}

func operatorRevokedElsewhere(t *testing.T, a, b *replica) {
	operator, other := login(t, a.url), login(t, b.url)
	require.Equal(t, 200, b.ask(t, "GET", "/keys", other, nil).status)
	decode[any](t, a.ask(t, "POST", "/revoke", operator, map[string]string{"jti": claim[string](t, other, "jti")}))
	assert.Equal(t, 401, a.ask(t, "GET", "/keys", other, nil).status)
	assert.Eventually(t, func() bool { return b.ask(t, "GET", "/keys", other, nil).status == 401 }, 2*time.Second, 5*time.Millisecond)
	assert.Equal(t, 200, b.ask(t, "GET", "/keys", operator, nil).status)
}

// keysAreShared rotates at one instance. The next key signs only when every client knows it, which no test waits for.
func keysAreShared(t *testing.T, a, b *replica) {
	operator := login(t, a.url)
	same := func(path string) func() bool {
		return func() bool {
			return a.ask(t, "GET", path, operator, nil).body == b.ask(t, "GET", path, operator, nil).body
		}
	}
	assert.Eventually(t, same("/jwks"), 5*time.Second, 20*time.Millisecond)
	rotated := a.ask(t, "POST", "/keys/rotate", operator, nil)
	next := appointed(t, rotated)
	require.Len(t, next, 1)
	same("/jwks")
	same("/keys")
	assert.Equal(t, next, appointed(t, b.ask(t, "POST", "/keys/rotate", operator, nil)), "the same one, at the same time")
	assert.Contains(t, b.ask(t, "GET", "/jwks", "", nil).body, next[0].KID)
	one, other := a.signIn(t), b.signIn(t)
	assert.Equal(t, kidOf(t, one.AccessToken), kidOf(t, other.AccessToken))
	assert.True(t, b.active(t, operator, one.AccessToken))
	assert.True(t, a.active(t, operator, other.AccessToken))
}

// signingKey is what an operator sees of a key.
type signingKey struct {
	KID         string
	State       string
	ActivatesAt string `json:"activates_at"`
}

// appointed are the keys that will sign at a certain time.
func appointed(t *testing.T, r reply) []signingKey {
	t.Helper()
	all := decode[struct{ Items []signingKey }](t, r).Items
	return slices.DeleteFunc(all, func(k signingKey) bool { return k.State != "pending" || k.ActivatesAt == "" })
}

func kidOf(t *testing.T, token string) string {
	t.Helper()
	return tokenPart[string](t, token, 0, "kid")
}

func compromisedElsewhere(t *testing.T, a, b *replica) {
	old, stolen := login(t, a.url), b.signIn(t)
	kid := kidOf(t, stolen.AccessToken)
	require.Equal(t, kid, kidOf(t, old))
	decode[any](t, a.ask(t, "POST", "/keys/"+kid+"/compromised", old, nil))
	began := time.Now()
	assert.Equal(t, 401, a.ask(t, "GET", "/keys", old, nil).status, "at once where it was told")
	for b.ask(t, "GET", "/keys", old, nil).status != 401 || strings.Contains(b.ask(t, "GET", "/jwks", "", nil).body, kid) {
		if !assert.Less(t, time.Since(began), 5*time.Second) {
			return
		}
	}
	t.Logf("gone elsewhere after %s", time.Since(began))
	operator := login(t, b.url)
	for _, r := range []*replica{a, b} {
		assert.False(t, r.active(t, operator, stolen.AccessToken))
		assert.NotEqual(t, kid, kidOf(t, r.signIn(t).AccessToken))
		assert.NotContains(t, r.ask(t, "GET", "/keys", operator, nil).body, kid+`","alg":"EdDSA","state":"active`)
		assert.Equal(t, 200, r.refresh(t, decode[serverauth.Tokens](t, r.refresh(t, r.signIn(t).RefreshToken)).RefreshToken).status)
	}
	assert.Equal(t, 200, b.refresh(t, stolen.RefreshToken).status, "a session does not depend on the key")
}

// revokedBeforeRestart restarts both instances, one in good order and one not.
func revokedBeforeRestart(t *testing.T, a, b *replica) {
	operator := login(t, a.url)
	token, out := a.signIn(t), a.signIn(t)
	decode[any](t, a.ask(t, "POST", "/revoke", operator, map[string]string{"jti": claim[string](t, token.AccessToken, "jti")}))
	require.Equal(t, 204, b.ask(t, "POST", "/logout", "", refreshBody(out.RefreshToken)).status)
	poll := decode[revokedPage](t, b.ask(t, "GET", "/revoked-jtis", operator, nil))
	b.kill()
	a.stop()
	a.start()
	b.start()
	for _, r := range []*replica{a, b} {
		assert.False(t, r.active(t, operator, token.AccessToken))
		assert.False(t, r.active(t, operator, out.AccessToken))
		assert.Equal(t, 401, r.refresh(t, out.RefreshToken).status)
		assert.Empty(t, r.since(t, operator, poll.Seq).Items, "nothing new for who has seen it all")
	}
	next := claim[string](t, b.signIn(t).AccessToken, "jti")
	decode[any](t, a.ask(t, "POST", "/revoke", operator, map[string]string{"jti": next}))
	for _, r := range []*replica{a, b} {
		page := r.since(t, operator, poll.Seq)
		assert.Greater(t, page.Seq, poll.Seq)
		if assert.Len(t, page.Items, 1, "the next one only") {
			assert.Equal(t, next, page.Items[0].JTI)
		}
		assert.Len(t, r.since(t, operator, 0).Items, len(poll.Items)+1)
	}
}

type revokedPage struct {
	Items []store.Revocation
	Seq   int64
}
