package serverauth_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

func TestAnOutageOfTheClaimsProviderEndsNoSession(t *testing.T) {
	var away atomic.Bool
	provider := serverauth.ClaimsProviderFunc(func(context.Context, serverauth.Subject) (serverauth.Claims, error) {
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

func TestASubjectIsRevokedHoweverItsAddressIsTyped(t *testing.T) {
	s, admin := operated(t, nil)
	for name, typed := range map[string]func(string) string{
		"eip191": strings.ToLower, "Ed25519": strings.ToUpper, "secp256k1": func(a string) string { return "0x" + a },
		"ML-DSA-65": func(a string) string { return a },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWallet(t, name)
			in := s.signIn(w)
			require.Equal(t, 200, s.post("/revoke", map[string]any{"sub": typed(w.Address)}, bearer(admin)...).status)
			assert.Equal(t, 401, s.introspectActive(in.Access))
			assert.Equal(t, 401, s.refresh(in.Refresh).status)
		})
	}
}

func TestTheIssuerGrantsTheClocksDifferenceToItsOwnTokens(t *testing.T) {
	backend, ahead, behind := newSharedBackend(t), testutil.NewClock(time.Now()), testutil.NewClock(time.Now().Add(-30*time.Second))
	settings := map[string]any{"storage_url": "shared:", "auto_create_admin": true, "admin_password": "correct horse"}
	first := startServer(t, settings, backend, testutil.WithClock(ahead))
	second := startServer(t, settings, backend, testutil.WithClock(behind))
	admin := first.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(t).Access
	assert.Equal(t, 200, second.get("/keys", bearer(admin)...).status)
}

func TestClosingPasswordLoginEndsAdminSessions(t *testing.T) {
	backend := newSharedBackend(t)
	settings := map[string]any{"storage_url": "shared:", "auto_create_admin": true, "admin_password": "correct horse"}
	open := startServer(t, settings, backend)
	in := open.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(t)
	settings["auto_create_admin"] = false
	closed := startServer(t, settings, backend)
	closed.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
}

func TestWithoutAGraceEveryOldRefreshTokenIsReuse(t *testing.T) {
	s := startServer(t, map[string]any{"refresh_grace_seconds": 0}, testutil.WithClock(testutil.NewClock(time.Now())))
	in := s.signIn(newWallet(t, "Ed25519"))
	s.refresh(in.Refresh).tokens(t)
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: token was used before, the session has ended")
}

func TestFleetFieldsAreBounded(t *testing.T) {
	s, _ := operated(t, nil)
	for name, body := range map[string]map[string]any{
		"scope": {"session_id": "s", "agent_id": "a", "scope": strings.Repeat("a", 1025)}, "line feed": {"session_id": "s\n", "agent_id": "a"},
		"space": {"session_id": " s", "agent_id": "a"}, "long": {"session_id": "s", "agent_id": strings.Repeat("a", 257)},
	} {
		assert.Equal(t, "invalid_field", s.fleet(body).json(t)["code"], name)
	}
}
