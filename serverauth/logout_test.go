package serverauth_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

// addedRevocations remembers what was added.
type addedRevocations struct {
	store.RevocationStore
	items []store.Revocation
	adds  atomic.Int64
}

func (s *addedRevocations) Add(ctx context.Context, items []store.Revocation) ([]store.Revocation, error) {
	s.adds.Add(1)
	s.items = append(s.items, items...)
	return s.RevocationStore.Add(ctx, items)
}

// countedSessions counts the calls that may write.
type countedSessions struct {
	store.SessionStore
	writes atomic.Int64
}

func (s *countedSessions) End(ctx context.Context, sid string) (store.Session, bool, error) {
	s.writes.Add(1)
	return s.SessionStore.End(ctx, sid)
}

// countedMints counts what the audit asks when it is flushed, or asked for a session's tokens.
type countedMints struct {
	audit.Store
	calls atomic.Int64
}

func (s *countedMints) Append(ctx context.Context, after audit.Head, rows []audit.Entry) (audit.Head, bool, error) {
	s.calls.Add(1)
	return s.Store.Append(ctx, after, rows)
}

func (s *countedMints) Live(ctx context.Context, jti, sid, sub string, now int64) ([]audit.Mint, error) {
	s.calls.Add(1)
	return s.Store.Live(ctx, jti, sid, sub, now)
}

// counted is a server whose stores count their writes.
type counted struct {
	*server
	revocations *addedRevocations
	sessions    *countedSessions
	mints       *countedMints
	clock       *testutil.Clock
}

func startCounted(t *testing.T, options ...fx.Option) counted {
	t.Helper()
	clock := testutil.NewClock(time.Now())
	c := counted{
		revocations: &addedRevocations{RevocationStore: store.NewInMemoryRevocationStore()},
		sessions:    &countedSessions{SessionStore: store.NewInMemorySessionStore()},
		mints:       &countedMints{Store: audit.NewMemoryStore()}, clock: clock,
	}
	c.server = startServer(t, nil, append([]fx.Option{
		testutil.WithSessionStore(c.sessions), withMintStore(c.mints), testutil.WithClock(clock),
		fx.Decorate(func() store.RevocationStore { return c.revocations }),
	}, options...)...)
	return c
}

func (c counted) logout(token string) {
	c.t.Helper()
	require.Equal(c.t, 204, c.post("/logout", map[string]any{"refresh_token": token}).status)
}

// writes is how often something was written, or the audit asked. What the audit writes by itself within a second is in it.
func (c counted) writes() string {
	return fmt.Sprint(c.revocations.adds.Load(), c.sessions.writes.Load(), c.mints.calls.Load())
}

func TestARepeatedLogoutWritesNothing(t *testing.T) {
	c := startCounted(t)
	in := c.signIn(newWallet(t, "Ed25519"))
	next := c.refresh(in.Refresh).tokens(t)
	c.logout(next.Refresh)
	assert.Equal(t, 401, c.introspectActive(next.Access))
	before := c.writes()
	for range 3 {
		c.logout(next.Refresh)
		c.logout(in.Refresh) // an older one of the same session
		c.logout("garbage")
	}
	assert.Equal(t, before, c.writes())
	c.clock.Advance(30 * 24 * time.Hour) // the denylist has forgotten it, and the token has expired
	c.logout(next.Refresh)
	assert.Equal(t, before, c.writes())
	c.refresh(next.Refresh).problem(t, 401, "refresh expired")
}

// Nothing is written either for a session that something else has ended.
func TestALogoutOfASessionThatIsOverWritesNothing(t *testing.T) {
	c := startCounted(t)
	reused := c.signIn(newWallet(t, "Ed25519"))
	c.refresh(c.refresh(reused.Refresh).tokens(t).Refresh).tokens(t)
	assert.Equal(t, "refresh_reused", c.refresh(reused.Refresh).json(t)["code"])
	gone := c.signIn(newWallet(t, "Ed25519"))
	c.clock.Advance(8 * 24 * time.Hour)
	_, err := c.sessions.Prune(t.Context(), c.clock.Now().UnixMilli(), 10)
	require.NoError(t, err)
	before := c.writes()
	c.logout(reused.Refresh)
	c.logout(gone.Refresh)
	c.refresh(reused.Refresh)
	assert.Equal(t, before, c.writes())
}

// A crash between the denylist and the session store leaves nothing alive, whichever came first.
func TestALogoutEndsWhatACrashLeftBehind(t *testing.T) {
	c := startCounted(t)
	w := newWallet(t, "Ed25519")
	unlisted, unended := c.signIn(w), c.signIn(w)
	sid := func(in tokens) string { return jwtPart(t, in.Access, 1)["sid"].(string) }
	_, ended, err := c.sessions.End(t.Context(), sid(unlisted))
	require.NoError(t, err)
	require.True(t, ended)
	assert.Equal(t, 200, c.introspectActive(unlisted.Access), "it is not on the denylist")
	c.logout(unlisted.Refresh)
	assert.Equal(t, 401, c.introspectActive(unlisted.Access))

	row, there, err := c.sessions.Find(t.Context(), sid(unended))
	require.NoError(t, err)
	require.True(t, there)
	c.logout(unended.Refresh)
	_, err = c.sessions.Create(t.Context(), row) // as if its end had not come to the store
	require.NoError(t, err)
	assert.Equal(t, 401, c.refresh(unended.Refresh).status)
	c.logout(unended.Refresh)
	_, there, err = c.sessions.Find(t.Context(), sid(unended))
	require.NoError(t, err)
	assert.False(t, there)
}

// Another process's logout is known before anything is written.
func TestALogoutThatWasMadeElsewhereWritesNothing(t *testing.T) {
	backend := newSharedBackend(t)
	var revocations []*addedRevocations
	counting := fx.Decorate(func(store store.RevocationStore) store.RevocationStore {
		revocations = append(revocations, &addedRevocations{RevocationStore: store})
		return revocations[len(revocations)-1]
	})
	settings := map[string]any{"storage_url": "shared:"}
	first, second := startServer(t, settings, backend, counting), startServer(t, settings, backend, counting)
	in := first.signIn(newWallet(t, "Ed25519"))
	for _, s := range []*server{first, second, second, first} {
		require.Equal(t, 204, s.post("/logout", map[string]any{"refresh_token": in.Refresh}).status)
	}
	assert.EqualValues(t, 1, revocations[0].adds.Load())
	assert.Zero(t, revocations[1].adds.Load())
	assert.Equal(t, 401, second.introspectActive(in.Access))
}

// Whoever is refused ends the session once, however often the refresh token is sent.
func TestARefusedSubjectIsEndedOnce(t *testing.T) {
	var refused atomic.Bool
	provider := serverauth.ClaimsProviderFunc(func(context.Context, store.Subject) (serverauth.Claims, error) {
		if refused.Load() {
			return serverauth.Claims{}, serverauth.ErrSubjectRefused
		}
		return serverauth.Claims{}, nil
	})
	c := startCounted(t, testutil.WithClaimsProvider(provider))
	in := c.signIn(newWallet(t, "Ed25519"))
	refused.Store(true)
	assert.Equal(t, 403, c.refresh(in.Refresh).status)
	assert.Equal(t, 401, c.introspectActive(in.Access))
	before := c.writes()
	for range 3 {
		assert.Contains(t, []int{401, 403}, c.refresh(in.Refresh).status)
	}
	assert.Equal(t, before, c.writes())
}
