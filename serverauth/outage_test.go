package serverauth_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// changedRevocations is a store that is another one from some moment on.
type changedRevocations struct{ serverauth.RevocationStore }

// A store that has lost its data, as a Redis without persistence that was restarted, brings no token back to life where
// its revocation was known.
func TestDenylistOutlivesItsStore(t *testing.T) {
	var log bytes.Buffer
	store := &changedRevocations{serverauth.NewInMemoryRevocationStore()}
	denylist := serverauth.NewDenylist(store, slog.New(slog.NewTextHandler(&log, nil)))
	now := time.Now().Unix()
	_, err := store.Add(t.Context(), []serverauth.Revocation{{JTI: "old", RevokedAt: now, Exp: now + 600}})
	require.NoError(t, err)
	require.NoError(t, denylist.Sync(t.Context()))
	assert.Empty(t, log.String(), "the first reading is of the whole list")

	later := time.Now().Add(time.Second)
	store.RevocationStore = serverauth.NewInMemoryRevocationStore(func() time.Time { return later })
	_, err = store.Add(t.Context(), []serverauth.Revocation{{JTI: "new", RevokedAt: now, Exp: now + 600}})
	require.NoError(t, err)
	require.NoError(t, denylist.Sync(t.Context()))
	for _, jti := range []string{"old", "new"} {
		denied, err := denylist.Denied(t.Context(), clientauth.TokenRef{ID: jti})
		require.NoError(t, err)
		assert.True(t, denied, jti)
	}
	assert.Contains(t, log.String(), "event=denylist_reset known=1 stored=1")
}

// noMints is a mint audit that cannot be read.
type noMints struct{}

func (noMints) Live(context.Context, string, string, string) ([]serverauth.Mint, error) {
	return nil, errors.New("the store is away")
}

// Revoking needs the mint audit for clients that know jti only, and works without it for all others.
func TestRevokingWhileTheMintAuditIsAway(t *testing.T) {
	denylist := serverauth.NewDenylist(serverauth.NewInMemoryRevocationStore(), slog.New(slog.DiscardHandler))
	require.NoError(t, denylist.Sync(t.Context()))
	revoker := serverauth.NewRevoker(serverauth.DefaultServerAuthSettings(), serverauth.NewInMemorySessionStore(), denylist, noMints{})
	cause := serverauth.Cause{By: "operator", Reason: "stolen"}
	denied := func(token clientauth.TokenRef) bool {
		denied, err := denylist.Denied(t.Context(), token)
		require.NoError(t, err)
		return denied
	}

	_, err := revoker.Token(t.Context(), "a token", cause)
	require.NoError(t, err)
	assert.True(t, denied(clientauth.TokenRef{ID: "a token"}))
	_, err = revoker.Session(t.Context(), "a session", cause)
	require.EqualError(t, err, "the store is away", "it is to be asked again")
	assert.True(t, denied(clientauth.TokenRef{SessionID: "a session"}))
	_, err = revoker.Subject(t.Context(), "a subject", cause)
	require.EqualError(t, err, "the store is away")
	assert.True(t, denied(clientauth.TokenRef{Subject: "a subject", IssuedAt: time.Now().Unix() - 1}))
}

// hangUp ends the request's context when a refresh token is presented, as a client does that hangs up.
type hangUp struct {
	serverauth.SessionStore
	cancel func()
}

func (s *hangUp) Rotate(ctx context.Context, r serverauth.Rotation) (serverauth.Session, serverauth.RotationOutcome, error) {
	s.cancel()
	if ctx.Err() != nil {
		return serverauth.Session{}, 0, ctx.Err()
	}
	return s.SessionStore.Rotate(ctx, r)
}

// strictRevocations does nothing in a context that has ended, as a store elsewhere.
type strictRevocations struct{ serverauth.RevocationStore }

func (s strictRevocations) Add(ctx context.Context, items []serverauth.Revocation) ([]serverauth.Revocation, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return s.RevocationStore.Add(ctx, items)
}

// Whoever presents an old refresh token and hangs up ends the session with its access tokens all the same.
func TestReuseByAClientThatHangsUp(t *testing.T) {
	var sessions *serverauth.SessionService
	store := &hangUp{serverauth.NewInMemorySessionStore(), func() {}}
	revocations := strictRevocations{serverauth.NewInMemoryRevocationStore()}
	s := startServer(t, nil, testutil.WithSessionStore(store), fx.Populate(&sessions),
		fx.Decorate(func() serverauth.RevocationStore { return revocations }))
	in := s.signIn(newWallet(t, "Ed25519"))
	last := s.refresh(s.refresh(in.Refresh).tokens(t).Refresh).tokens(t)
	require.Equal(t, 200, s.introspectActive(last.Access))

	ctx, cancel := context.WithCancel(t.Context())
	store.cancel = cancel
	_, err := sessions.Refresh(ctx, in.Refresh, time.Now())
	require.ErrorContains(t, err, "token was used before")
	assert.Equal(t, 401, s.introspectActive(last.Access))
}
