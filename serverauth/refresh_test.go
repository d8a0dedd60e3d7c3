package serverauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

func TestRefreshRotates(t *testing.T) {
	s := startServer(t, nil)
	in := s.signIn(newWallet(t, "Ed25519"))
	next := s.refresh(in.Refresh).tokens(t)
	assert.NotEqual(t, in.Refresh, next.Refresh)
	assert.NotEqual(t, in.Access, next.Access)
	before, after := jwtPart(t, in.Access, 1), jwtPart(t, next.Access, 1)
	for _, name := range []string{"sub", "sid", "role", "wallet_id", "wallet_address", "wallet_kind", "algorithm"} {
		assert.Equal(t, before[name], after[name], name)
	}
	assert.NotEqual(t, before["jti"], after["jti"])
	assert.Equal(t, http.StatusOK, s.introspectActive(next.Access))
}

func TestTwoRefreshesInOneSecondBothRotate(t *testing.T) {
	s := startServer(t, nil, testutil.WithClock(testutil.NewClock(time.Now())))
	in := s.signIn(newWallet(t, "Ed25519"))
	first := s.refresh(in.Refresh).tokens(t)
	second := s.refresh(first.Refresh).tokens(t)
	assert.NotEqual(t, first.Refresh, second.Refresh)
}

func TestALostReplyIsAnsweredAgainWithinTheGrace(t *testing.T) {
	clock := testutil.NewClock(time.Now())
	s := startServer(t, nil, testutil.WithClock(clock))
	in := s.signIn(newWallet(t, "Ed25519"))
	lost := s.refresh(in.Refresh).tokens(t)
	clock.Advance(30 * time.Second)
	again := s.refresh(in.Refresh).tokens(t)
	assert.Equal(t, lost.Refresh, again.Refresh, "byte for byte")
	assert.Equal(t, http.StatusOK, s.introspectActive(again.Access))
	clock.Advance(time.Millisecond)
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: token was used before, the session has ended")
	s.refresh(lost.Refresh).problem(t, 401, "refresh invalid: session has ended")
	assert.Equal(t, http.StatusUnauthorized, s.introspectActive(again.Access), "its live access tokens end too")
	assert.Equal(t, http.StatusUnauthorized, s.introspectActive(in.Access))
}

func TestRefreshReuseEndsTheSession(t *testing.T) {
	s := startServer(t, nil)
	in := s.signIn(newWallet(t, "Ed25519"))
	second := s.refresh(in.Refresh).tokens(t)
	third := s.refresh(second.Refresh).tokens(t)
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: token was used before, the session has ended")
	s.refresh(third.Refresh).problem(t, 401, "refresh invalid: session has ended")
	assert.Equal(t, http.StatusUnauthorized, s.introspectActive(third.Access))
}

// What reuse puts on the denylist is kept as long as an access token lives, and not as long as a fleet token does.
func TestRefreshReuseIsForgottenInTime(t *testing.T) {
	s, admin := operated(t, nil)
	in := s.signIn(newWallet(t, "Ed25519"))
	s.refresh(s.refresh(in.Refresh).tokens(t).Refresh)
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: token was used before, the session has ended")
	items := s.get("/revoked-jtis", bearer(admin)...).json(t)["items"].([]any)
	require.NotEmpty(t, items)
	for _, item := range items {
		assert.InDelta(t, time.Now().Unix()+15*60+600, item.(map[string]any)["exp"], 5)
	}
}

func TestHundredParallelRefreshesGiveOneRefreshToken(t *testing.T) {
	s := startServer(t, nil)
	in := s.signIn(newWallet(t, "Ed25519"))
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			next := s.refresh(in.Refresh).tokens(t)
			mu.Lock()
			defer mu.Unlock()
			got[next.Refresh]++
		})
	}
	wg.Wait()
	assert.Len(t, got, 1)
}

func TestRefreshRefusals(t *testing.T) {
	s := startServer(t, nil)
	in := s.signIn(newWallet(t, "Ed25519"))
	s.post("/refresh", map[string]any{}).problem(t, 400, "refresh_token required")
	foreign := startServer(t, nil).signIn(newWallet(t, "Ed25519"))
	for name, token := range map[string]string{
		"access token": in.Access, "garbage": "garbage", "dots": "..", "another issuer's": foreign.Refresh,
		"cut": in.Refresh[:len(in.Refresh)-1], "longer": in.Refresh + "A", "huge": strings.Repeat("a", 5000),
		"other header": "eyJhbGciOiJub25lIn0" + in.Refresh[strings.Index(in.Refresh, "."):],
	} {
		t.Run(name, func(t *testing.T) {
			s.refresh(token).problem(t, 401, "refresh invalid: not a refresh token of this issuer")
		})
	}
	assert.Equal(t, http.StatusUnauthorized, s.introspectActive(in.Refresh), "a refresh token is no access token")
	s.refresh(in.Refresh).tokens(t)
}

func TestRefreshTokenAndSessionExpire(t *testing.T) {
	clock := testutil.NewClock(time.Now())
	s := startServer(t, map[string]any{"refresh_token_expire_days": 2, "session_max_days": 3}, testutil.WithClock(clock))
	idle, busy := s.signIn(newWallet(t, "Ed25519")), s.signIn(newWallet(t, "Ed25519"))
	clock.Advance(47 * time.Hour)
	busy = s.refresh(busy.Refresh).tokens(t)
	clock.Advance(time.Hour)
	s.refresh(idle.Refresh).problem(t, 401, "refresh expired")
	clock.Advance(23 * time.Hour)
	busy = s.refresh(busy.Refresh).tokens(t)
	assert.EqualValues(t, jwtPart(t, busy.Refresh, 1)["iat"].(float64)+3600, jwtPart(t, busy.Refresh, 1)["exp"], "capped by the session's end")
	clock.Advance(time.Hour)
	s.refresh(busy.Refresh).problem(t, 401, "refresh expired")
}

func TestAnAbsentSessionIsNotMadeAnew(t *testing.T) {
	store := store.NewInMemorySessionStore()
	s := startServer(t, nil, testutil.WithSessionStore(store))
	in := s.signIn(newWallet(t, "Ed25519"))
	_, found, err := store.End(context.Background(), jwtPart(t, in.Refresh, 1)["sid"].(string))
	require.NoError(t, err)
	require.True(t, found)
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
}

func TestRolesAndClaimsAreTakenAnewAtEachRefresh(t *testing.T) {
	var mu sync.Mutex
	answer := serverauth.Claims{Role: "member", Groups: []string{"a"}, Scope: "read write", Extra: map[string]any{"tier": 1}}
	var refusal error
	provider := serverauth.ClaimsProviderFunc(func(_ context.Context, subject store.Subject) (serverauth.Claims, error) {
		mu.Lock()
		defer mu.Unlock()
		assert.Equal(t, store.KindWallet, subject.Kind)
		return answer, refusal
	})
	s := startServer(t, nil, testutil.WithClaimsProvider(provider))
	w := newWallet(t, "Ed25519")
	in := s.signIn(w)
	claims := jwtPart(t, in.Access, 1)
	assert.Equal(t, "member", claims["role"])
	assert.Equal(t, []any{"a"}, claims["groups"])
	assert.Equal(t, "read write", claims["scope"])
	assert.EqualValues(t, 1, claims["tier"])

	mu.Lock()
	answer = serverauth.Claims{Role: "guest"}
	mu.Unlock()
	next := s.post("/refresh", map[string]any{"refresh_token": in.Refresh, "role": "admin", "scope": "all"}).tokens(t)
	claims = jwtPart(t, next.Access, 1)
	assert.Equal(t, "guest", claims["role"])
	assert.NotContains(t, claims, "groups")
	assert.NotContains(t, claims, "tier")

	mu.Lock()
	refusal = errors.Join(errors.New("left the company"), serverauth.ErrSubjectRefused)
	mu.Unlock()
	s.refresh(next.Refresh).problem(t, 403, "subject refused")
	assert.Equal(t, http.StatusUnauthorized, s.introspectActive(next.Access), "its refusal ends the session")
	s.post("/sign-in", s.signInBody(w)).problem(t, 403, "subject refused")
	mu.Lock()
	refusal = nil
	mu.Unlock()
	s.refresh(next.Refresh).problem(t, 401, "refresh invalid: session has ended")
}

func TestAReservedFreeClaimIsRefused(t *testing.T) {
	provider := serverauth.ClaimsProviderFunc(func(context.Context, store.Subject) (serverauth.Claims, error) {
		return serverauth.Claims{Extra: map[string]any{"sub": "somebody else"}}, nil
	})
	s := startServer(t, nil, testutil.WithClaimsProvider(provider))
	r := s.post("/sign-in", s.signInBody(newWallet(t, "Ed25519")))
	assert.Equal(t, http.StatusServiceUnavailable, r.status)
	assert.NotContains(t, string(r.body), "somebody")
}

func TestChangedAdminCredentialsEndAdminSessions(t *testing.T) {
	backend := newSharedBackend(t)
	admin := func(password string) map[string]any {
		return map[string]any{"auto_create_admin": true, "admin_password": password, "storage_url": "shared:"}
	}
	first := startServer(t, admin("first password"), backend)
	login := map[string]any{"email": "admin@pico.local", "password": "first password"}
	in := first.post("/login", login).tokens(t)
	wallet := first.signIn(newWallet(t, "Ed25519"))

	same := startServer(t, admin("first password"), backend)
	in = same.refresh(in.Refresh).tokens(t)
	changed := startServer(t, admin("second password"), backend)
	changed.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
	changed.refresh(wallet.Refresh).tokens(t)
}

func TestStorageThatRefusesToStart(t *testing.T) {
	for want, settings := range map[string]map[string]any{
		`server_auth.storage_url: no backend for "redis" URLs in this program; it has memory, shared`: {"storage_url": "redis://user:secret@host"},
		`server_auth.storage_url: no backend for "sqlite" URLs`:                                       {"data_dir": "somewhere"},
		"server_auth.session_storage_url: is not a URL":                                               {"session_storage_url": "nonsense"},
		"server_auth.key_dir: persistent keys need":                                                   {"key_dir": t.TempDir()},
		"server_auth.key_encryption_key: must be 32 bytes":                                            {"key_encryption_key": "short secret"},
	} {
		a := app.New(app.ConfigMap(map[string]any{"server_auth": settings, "app.port": 0}), newSharedBackend(t), serverauth.Module)
		require.ErrorContains(t, a.Err(), want)
		assert.NotContains(t, a.Err().Error(), "secret@")
		assert.NotContains(t, a.Err().Error(), "short secret")
	}
}

func TestAnOutageOfTheClaimsProviderEndsNoSession(t *testing.T) {
	var away atomic.Bool
	provider := serverauth.ClaimsProviderFunc(func(context.Context, store.Subject) (serverauth.Claims, error) {
		if away.Load() {
			return serverauth.Claims{}, errors.New("directory is away")
		}
		return serverauth.Claims{}, nil
	})
	clock := testutil.NewClock(time.Now())
	s := startServer(t, nil, testutil.WithClaimsProvider(provider), testutil.WithClock(clock))
	in := s.signIn(newWallet(t, "Ed25519"))
	away.Store(true)
	assert.Equal(t, 503, s.refresh(in.Refresh).status)
	clock.Advance(5 * time.Minute) // longer than the grace
	away.Store(false)
	s.refresh(in.Refresh).tokens(t)
}

func TestWithoutAGraceEveryOldRefreshTokenIsReuse(t *testing.T) {
	s := startServer(t, map[string]any{"refresh_grace_seconds": 0}, testutil.WithClock(testutil.NewClock(time.Now())))
	in := s.signIn(newWallet(t, "Ed25519"))
	s.refresh(in.Refresh).tokens(t)
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: token was used before, the session has ended")
}
