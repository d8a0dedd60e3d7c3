package serverauth_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/revocation"
	authstore "github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/storetest"
)

// While the denylist cannot be read nobody gets tokens, and nobody loses what they would get them with.
func TestA503BurnsNothing(t *testing.T) {
	store := storetest.NewFaultyRevocations()
	var denylist *revocation.Denylist
	s, log := watched(t, map[string]any{
		"refresh_grace_seconds": 0, "auto_create_admin": true, "admin_password": "correct horse", "fleet_mint_secret": fleetSecret,
	}, fx.Populate(&denylist), fx.Decorate(func() authstore.RevocationStore { return store }))
	w := newWallet(t, "Ed25519")
	in := s.signIn(w)
	body := s.signInBody(w)
	login := map[string]any{"email": "admin@pico.local", "password": "correct horse"}
	agent := map[string]any{"session_id": "s", "agent_id": "a"}

	store.FailSince.Store(true)
	require.Eventually(t, func() bool { // a reading that was under way ends
		denylist.Invalidate()
		return s.refresh(in.Refresh).status == 503
	}, 10*time.Second, time.Millisecond)
	for range 3 {
		denylist.Invalidate()
		s.refresh(in.Refresh).problem(t, 503, "temporarily unavailable")
		s.post("/sign-in", body).problem(t, 503, "temporarily unavailable")
		s.post("/login", login).problem(t, 503, "temporarily unavailable")
		s.fleet(agent).problem(t, 503, "temporarily unavailable")
	}
	store.FailSince.Store(false)
	require.NoError(t, denylist.Sync(t.Context()))
	next := s.refresh(in.Refresh).tokens(t)
	assert.Equal(t, 200, s.introspectActive(next.Access))
	s.post("/sign-in", body).tokens(t)
	s.post("/login", login).tokens(t)
	assert.Equal(t, 200, s.fleet(agent).status)
	assert.Empty(t, log.events(t, "refresh_reused"))
}

// What a ClaimsProvider gives and no token may hold is found before the refresh token is used up.
func TestClaimsThatNoTokenMayHoldBurnNothing(t *testing.T) {
	var extra atomic.Value
	extra.Store(map[string]any(nil))
	s := startServer(t, map[string]any{"refresh_grace_seconds": 0}, testutil.WithClaimsProvider(serverauth.ClaimsProviderFunc(
		func(context.Context, authstore.Subject) (serverauth.Claims, error) {
			return serverauth.Claims{Extra: extra.Load().(map[string]any)}, nil
		})))
	in := s.signIn(newWallet(t, "Ed25519"))
	for _, wrong := range []map[string]any{{"sub": "somebody else"}, {"f": func() {}}} {
		extra.Store(wrong)
		s.refresh(in.Refresh).problem(t, 503, "temporarily unavailable")
	}
	extra.Store(map[string]any{"tier": "gold"})
	assert.Equal(t, "gold", jwtPart(t, s.refresh(in.Refresh).tokens(t).Access, 1)["tier"])
}

// A store that was put back to an earlier state makes no thief of anybody.
func TestASessionStoreThatWentBack(t *testing.T) {
	store := authstore.NewInMemorySessionStore()
	s, log := watched(t, nil, testutil.WithSessionStore(store))
	w := newWallet(t, "Ed25519")
	in := s.signIn(w)
	sid := jwtPart(t, in.Access, 1)["sid"].(string)
	copied, there, err := store.End(t.Context(), sid)
	require.NoError(t, err)
	require.True(t, there)
	_, err = store.Create(t.Context(), copied)
	require.NoError(t, err)
	last := in
	for range 3 {
		last = s.refresh(last.Refresh).tokens(t)
	}
	_, _, err = store.End(t.Context(), sid)
	require.NoError(t, err)
	_, err = store.Create(t.Context(), copied)
	require.NoError(t, err)

	next := s.refresh(last.Refresh).tokens(t)
	log.expect(t, "store_went_back", "WARN", map[string]any{"store": "sessions", "sid": sid, "subject": w.Address})
	assert.Equal(t, next.Refresh, s.refresh(last.Refresh).tokens(t).Refresh, "its reply was lost")
	next = s.refresh(next.Refresh).tokens(t)
	assert.Equal(t, 200, s.introspectActive(next.Access))
	assert.Len(t, log.events(t, "store_went_back"), 1)
	assert.Empty(t, log.events(t, "refresh_reused"))
}

// On a clock that is behind that of the process which revoked a subject, within the skew, its next sign-in is issued after
// the revocation, at once, and is worth as much as any.
func TestSignInOnAClockBehindARevocation(t *testing.T) {
	clock := testutil.NewClock(time.Now())
	store, revocations := authstore.NewInMemorySessionStore(), authstore.NewInMemoryRevocationStore()
	var denylist *revocation.Denylist
	s := startServer(t, map[string]any{"fleet_mint_secret": fleetSecret, "clock_skew_seconds": 60}, testutil.WithClock(clock),
		testutil.WithSessionStore(store), fx.Populate(&denylist),
		app.ConfigMap(map[string]any{"auth_client": map[string]any{"leeway_seconds": 62}}), // this clock stands still
		fx.Decorate(func() authstore.RevocationStore { return revocations }))
	w := newWallet(t, "Ed25519")
	revoked := func(sub string, at time.Time) {
		_, err := store.EndSubject(t.Context(), []string{sub}, at.Truncate(time.Second).Add(1200*time.Millisecond).UnixMilli())
		require.NoError(t, err)
		_, err = denylist.Add(t.Context(), []authstore.Revocation{{Sub: sub, RevokedAt: at.Unix(), Exp: at.Unix() + 3600}})
		require.NoError(t, err)
	}
	for _, ahead := range []time.Duration{0, 10 * time.Second, 60 * time.Second} {
		at := clock.Now().Add(ahead)
		revoked(w.Address, at)
		began := time.Now()
		in := s.signIn(w)
		assert.Less(t, time.Since(began), 3*time.Second)
		claims := jwtPart(t, in.Access, 1)
		assert.EqualValues(t, at.Unix()+1, claims["iat"])
		assert.EqualValues(t, 15*60, claims["exp"].(float64)-claims["iat"].(float64))
		assert.Equal(t, 200, s.introspectActive(in.Access))
		next := s.refresh(in.Refresh).tokens(t)
		assert.EqualValues(t, at.Unix()+1, jwtPart(t, next.Access, 1)["iat"])
		assert.Equal(t, 200, s.introspectActive(next.Access))
	}
	at := clock.Now().Add(50 * time.Second)
	revoked("agents-1", at)
	minted := s.fleet(map[string]any{"session_id": "agents-1", "agent_id": "a"})
	require.Equal(t, 200, minted.status, "%s", minted.body)
	token := minted.json(t)["session_token"].(string)
	assert.EqualValues(t, at.Unix()+1, jwtPart(t, token, 1)["iat"])
	assert.Equal(t, 200, s.introspectActive(token))

	revoked(w.Address, clock.Now().Add(2*time.Minute))
	s.post("/sign-in", s.signInBody(w)).problem(t, 503, "temporarily unavailable")
}

// A shorter session_max_days holds for sessions that there are.
func TestSessionsEndByTodaysSetting(t *testing.T) {
	clock := testutil.NewClock(time.Now())
	store := authstore.NewInMemorySessionStore()
	s := startServer(t, map[string]any{"session_max_days": 2}, testutil.WithClock(clock), testutil.WithSessionStore(store))
	in := s.signIn(newWallet(t, "Ed25519"))
	clock.Advance(24 * time.Hour)
	next := s.refresh(in.Refresh).tokens(t)
	assert.EqualValues(t, 24*3600, jwtPart(t, next.Refresh, 1)["exp"].(float64)-float64(clock.Now().Unix()))
	clock.Advance(24 * time.Hour)
	s.refresh(next.Refresh).problem(t, 401, "refresh expired")
}

// A new sign-in, its refresh and a list work on a clock that went forward and was set back.
func TestSessionsOnAClockThatWentBack(t *testing.T) {
	clock := testutil.NewClock(time.Now())
	store := authstore.NewInMemorySessionStore()
	s := startServer(t, nil, testutil.WithClock(clock), testutil.WithSessionStore(store))
	w := newWallet(t, "Ed25519")
	before := s.signIn(w)
	clock.Advance(20 * time.Minute)
	ahead := s.signIn(w)
	_, err := store.Prune(t.Context(), clock.Now().Add(-15*time.Minute).UnixMilli(), 1000)
	require.NoError(t, err)
	clock.Advance(-20 * time.Minute)
	for _, in := range []tokens{before, s.signIn(w)} {
		assert.Equal(t, 200, s.introspectActive(s.refresh(in.Refresh).tokens(t).Access))
	}
	s.refresh(ahead.Refresh).tokens(t)
}

// A reuse that could not be written to the denylist ended the session all the same. The next presentation of the token,
// by whomever, finishes that, once.
func TestAReuseThatCouldNotBeListedIsListedLater(t *testing.T) {
	revocations := storetest.NewFaultyRevocations()
	s := startServer(t, map[string]any{"refresh_grace_seconds": 0}, fx.Decorate(func() authstore.RevocationStore { return revocations }))
	first := s.signIn(newWallet(t, "Ed25519"))
	second := s.refresh(first.Refresh).tokens(t)
	revocations.FailAdd.Store(true)
	s.refresh(first.Refresh).problem(t, 503, "temporarily unavailable")
	revocations.FailAdd.Store(false)
	s.refresh(first.Refresh).problem(t, 401, "refresh invalid: session has ended")
	assert.Equal(t, 401, s.introspectActive(second.Access), "the session's access token is on the denylist")

	listed, err := revocations.Since(t.Context(), 0, 0, 1000)
	require.NoError(t, err)
	s.refresh(first.Refresh).problem(t, 401, "refresh invalid: session has ended")
	s.refresh(second.Refresh).problem(t, 401, "refresh invalid: session has ended")
	again, err := revocations.Since(t.Context(), 0, 0, 1000)
	require.NoError(t, err)
	assert.Equal(t, listed.Seq, again.Seq, "a repeat writes nothing")
}
