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

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
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
