package revocation_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/revocation"
	authstore "github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/storetest"
)

// stored returns all items that are in the store.
func stored(t *testing.T, store authstore.RevocationStore) []authstore.Revocation {
	t.Helper()
	page, err := store.Since(t.Context(), 0, 0, 1<<20)
	require.NoError(t, err)
	return page.Items
}

// Whatever is in a store that went back, no token passes before all of it was read.
func TestAStoreThatWentBackIsReadBeforeTokensPass(t *testing.T) {
	var log bytes.Buffer
	store := storetest.NewFaultyRevocations(storetest.NewRevocations("old", 2500)...)
	denylist := revocation.NewDenylist(revocation.DenylistConfig{Store: store, Log: slog.New(slog.NewTextHandler(&log, nil))})
	denied := func(jti string) (bool, error) {
		return denylist.Denied(t.Context(), clientauth.TokenRef{ID: jti})
	}
	require.NoError(t, denylist.Sync(t.Context()))
	hit, err := denied("old2499")
	require.NoError(t, err)
	assert.True(t, hit, "the last page")
	assert.Empty(t, log.String())

	store.Become(storetest.NewRevocations("new", 2500)...)
	store.FailNextPage.Store(true)
	require.ErrorIs(t, denylist.Sync(t.Context()), storetest.ErrStoreAway)
	assert.Contains(t, log.String(), "level=ERROR msg=store_went_back event=store_went_back store=revocations known=2500")
	_, err = denied("any")
	require.ErrorIs(t, err, clientauth.ErrDenylistUnavailable, "half a list is none")

	store.FailNextPage.Store(false)
	require.NoError(t, denylist.Sync(t.Context()))
	for jti, want := range map[string]bool{"old0": true, "old2499": true, "new0": true, "new2499": true, "any": false} {
		hit, err := denied(jti)
		require.NoError(t, err)
		assert.Equal(t, want, hit, jti)
	}
}

// What a process has added, and its store has lost, it adds again: others would never hear of it.
func TestLostRevocationsAreAddedAgain(t *testing.T) {
	store := storetest.NewFaultyRevocations()
	denylist := revocation.NewDenylist(revocation.DenylistConfig{Store: store, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, denylist.Sync(t.Context()))
	own := append(storetest.NewRevocations("own", 700), authstore.Revocation{Sub: "alice", RevokedAt: time.Now().Unix(), Exp: time.Now().Unix() + 900},
		authstore.Revocation{JTI: "expired", Exp: 1})
	_, err := denylist.Add(t.Context(), own)
	require.NoError(t, err)
	require.NoError(t, denylist.Sync(t.Context()))
	own = own[:len(own)-1]

	store.Become(own[699], own[700]) // which it has not lost
	store.FailAdd.Store(true)
	require.NoError(t, denylist.Sync(t.Context()), "nothing depends on it")
	assert.Len(t, stored(t, store), 2)
	store.FailAdd.Store(false)
	require.NoError(t, denylist.Sync(t.Context()))
	assert.ElementsMatch(t, own, stored(t, store), "each once")
	require.NoError(t, denylist.Sync(t.Context()))
	assert.Len(t, stored(t, store), len(own))
}

// A store that has lost its data, as a Redis without persistence that was restarted, brings no token back to life where
// its revocation was known.
func TestDenylistOutlivesItsStore(t *testing.T) {
	var log bytes.Buffer
	store := storetest.NewFaultyRevocations()
	denylist := revocation.NewDenylist(revocation.DenylistConfig{Store: store, Log: slog.New(slog.NewTextHandler(&log, nil))})
	now := time.Now().Unix()
	_, err := store.Add(t.Context(), []authstore.Revocation{{JTI: "old", RevokedAt: now, Exp: now + 600}})
	require.NoError(t, err)
	require.NoError(t, denylist.Sync(t.Context()))
	assert.Empty(t, log.String(), "the first reading is of the whole list")

	store.Become(authstore.Revocation{JTI: "new", RevokedAt: now, Exp: now + 600})
	require.NoError(t, denylist.Sync(t.Context()))
	for _, jti := range []string{"old", "new"} {
		denied, err := denylist.Denied(t.Context(), clientauth.TokenRef{ID: jti})
		require.NoError(t, err)
		assert.True(t, denied, jti)
	}
	assert.Contains(t, log.String(), "event=store_went_back store=revocations known=1")
}
