package serverauth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth/session"
	authstore "github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

// hangUp ends the request's context when a refresh token is presented, as a client does that hangs up.
type hangUp struct {
	authstore.SessionStore
	cancel func()
}

func (s *hangUp) Rotate(ctx context.Context, r authstore.Rotation) (authstore.Session, authstore.RotationOutcome, error) {
	s.cancel()
	if ctx.Err() != nil {
		return authstore.Session{}, 0, ctx.Err()
	}
	return s.SessionStore.Rotate(ctx, r)
}

// strictRevocations does nothing in a context that has ended, as a store elsewhere.
type strictRevocations struct{ authstore.RevocationStore }

func (s strictRevocations) Add(ctx context.Context, items []authstore.Revocation) ([]authstore.Revocation, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return s.RevocationStore.Add(ctx, items)
}

// Whoever presents an old refresh token and hangs up ends the session with its access tokens all the same.
func TestReuseByAClientThatHangsUp(t *testing.T) {
	var sessions *session.Service
	store := &hangUp{authstore.NewInMemorySessionStore(), func() {}}
	revocations := strictRevocations{authstore.NewInMemoryRevocationStore()}
	s := startServer(t, nil, testutil.WithSessionStore(store), fx.Populate(&sessions),
		fx.Decorate(func() authstore.RevocationStore { return revocations }))
	in := s.signIn(newWallet(t, "Ed25519"))
	last := s.refresh(s.refresh(in.Refresh).tokens(t).Refresh).tokens(t)
	require.Equal(t, 200, s.introspectActive(last.Access))

	ctx, cancel := context.WithCancel(t.Context())
	store.cancel = cancel
	_, err := sessions.Refresh(ctx, in.Refresh, time.Now(), "")
	require.ErrorContains(t, err, "token was used before")
	assert.Equal(t, 401, s.introspectActive(last.Access))
}
