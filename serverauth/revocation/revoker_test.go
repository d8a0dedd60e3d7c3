package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/revocation"
	authstore "github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

var errStoreAway = errors.New("store is away")

// addedRevocations remembers what was added.
type addedRevocations struct {
	authstore.RevocationStore
	items []authstore.Revocation
}

func (s *addedRevocations) Add(ctx context.Context, items []authstore.Revocation) ([]authstore.Revocation, error) {
	s.items = append(s.items, items...)
	return s.RevocationStore.Add(ctx, items)
}

// newRevoker returns a revoker of the default settings.
func newRevoker(sessions authstore.SessionStore, denylist *revocation.Denylist, mints revocation.MintIndex, clock app.Clock) *revocation.Revoker {
	return revocation.NewRevoker(revocation.Config{
		Sessions: sessions, Denylist: denylist, Mints: mints, AccessTTL: 15 * time.Minute, LongestTTL: 15 * time.Minute,
		AuditTTL: 5 * time.Minute, Skew: time.Minute, AdminEmail: "admin@pico.local", Clock: clock,
	})
}

// noMints is a mint audit that cannot be read.
type noMints struct{}

func (noMints) Live(context.Context, string, string, string) ([]audit.Mint, error) {
	return nil, errors.New("the store is away")
}

func (noMints) Longest(context.Context) (int64, error) { return 0, errors.New("the store is away") }

// Revoking needs the mint audit for clients that know jti only, and works without it for all others.
func TestRevokingWhileTheMintAuditIsAway(t *testing.T) {
	denylist := revocation.NewDenylist(revocation.DenylistConfig{Store: authstore.NewInMemoryRevocationStore(), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, denylist.Sync(t.Context()))
	revoker := newRevoker(authstore.NewInMemorySessionStore(), denylist, noMints{}, nil)
	cause := revocation.Cause{By: "operator", Reason: "stolen"}
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

// lateSessions begins a session as of a clock that is ahead, once the sessions of a subject were ended.
type lateSessions struct {
	authstore.SessionStore
	late  []authstore.Session
	begun func(authstore.Session)
}

func (s *lateSessions) EndSubject(ctx context.Context, ids []string, at int64) ([]authstore.Session, error) {
	ended, err := s.SessionStore.EndSubject(ctx, ids, at)
	for _, row := range s.late {
		if cutOff, err := s.Create(ctx, row); err != nil || cutOff != 0 {
			return nil, fmt.Errorf("cut off at %d: %w", cutOff, err)
		}
		s.begun(row)
	}
	s.late = nil
	return ended, err
}

// recorded is a mint audit that holds what it is told.
type recorded struct{ mints []audit.Mint }

func (r *recorded) Live(_ context.Context, jti, sid, sub string) (live []audit.Mint, err error) {
	for _, m := range r.mints {
		if jti != "" && m.ID == jti || sid != "" && m.SessionID == sid || sub != "" && (m.Subject == sub || m.WalletID == sub) {
			live = append(live, m)
		}
	}
	return live, nil
}

func (r *recorded) Longest(context.Context) (expiresAt int64, err error) {
	for _, m := range r.mints {
		expiresAt = max(expiresAt, m.ExpiresAt)
	}
	return expiresAt, nil
}

// A sign-in that a process with a clock that is ahead was about does not outlive a revocation that it met.
func TestASignInOfAClockThatIsAheadMeetsItsRevocation(t *testing.T) {
	denylist := revocation.NewDenylist(revocation.DenylistConfig{Store: authstore.NewInMemoryRevocationStore(), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, denylist.Sync(t.Context()))
	ahead := time.Now().Add(50 * time.Second)
	row := authstore.Session{
		ID: "late", Subject: authstore.Subject{ID: "alice", WalletID: "her wallet"}, StartedAt: ahead.UnixMilli(),
		ExpiresAt: ahead.UnixMilli() + 3600_000, EndsAt: ahead.UnixMilli() + 3600_000,
	}
	recorder := &recorded{}
	store := &lateSessions{authstore.NewInMemorySessionStore(), []authstore.Session{row}, func(row authstore.Session) {
		for id, sub := range map[string]string{"her token": "alice", "a token without a session": "alice"} {
			recorder.mints = append(recorder.mints, audit.Mint{ID: id, Subject: sub, IssuedAt: ahead.Unix(), ExpiresAt: ahead.Unix() + 900})
		}
		recorder.mints[0].SessionID = row.ID
	}}
	revoker := newRevoker(store, denylist, recorder, nil)
	ended, err := revoker.Subject(t.Context(), "alice", revocation.Cause{By: "operator"})
	require.NoError(t, err)
	assert.Equal(t, 1, ended.Sessions)
	assert.Equal(t, 2, ended.Tokens)
	assert.Equal(t, "alice", ended.Item.Sub)
	_, there, err := store.Find(t.Context(), "late")
	require.NoError(t, err)
	assert.False(t, there)
	for _, token := range []clientauth.TokenRef{
		{ID: "her token", IssuedAt: ahead.Unix()}, {ID: "a token without a session", IssuedAt: ahead.Unix()},
		{SessionID: "late", IssuedAt: ahead.Unix()}, {Subject: "alice's other address", WalletID: "her wallet", IssuedAt: time.Now().Unix() - 2},
	} {
		denied, err := denylist.Denied(t.Context(), token)
		require.NoError(t, err)
		assert.True(t, denied, "%+v", token)
	}
}

// Without the mint audit nobody knows how long tokens live: as long as any can.
func TestItemsWithoutTheMintAuditAreKeptLongest(t *testing.T) {
	store := &addedRevocations{RevocationStore: authstore.NewInMemoryRevocationStore()}
	denylist := revocation.NewDenylist(revocation.DenylistConfig{Store: store, Log: slog.New(slog.DiscardHandler)})
	sessions := authstore.NewInMemorySessionStore()
	_, err := sessions.Create(t.Context(), authstore.Session{ID: "known", StartedAt: 1})
	require.NoError(t, err)
	revoker := newRevoker(sessions, denylist, noMints{}, nil)
	cause := revocation.Cause{By: "operator"}
	_, err = revoker.Token(t.Context(), "token", cause)
	require.NoError(t, err)
	_, err = revoker.Session(t.Context(), "unknown", cause)
	require.Error(t, err)
	_, err = revoker.Session(t.Context(), "known", cause)
	require.Error(t, err)
	_, err = revoker.Subject(t.Context(), "subject", cause)
	require.Error(t, err)
	_, err = revoker.Key(t.Context(), "key", cause)
	require.NoError(t, err)
	_, there, err := sessions.Find(t.Context(), "known")
	require.NoError(t, err)
	assert.False(t, there, "it is ended all the same")
	require.Len(t, store.items, 5)
	for _, item := range store.items {
		days := int64(366)
		if item.SID == "known" {
			days = 30
		}
		assert.InDelta(t, time.Now().Unix()+days*86400+600, item.Exp, 5, "%+v", item)
	}
}

// slowAudit is away, and makes whoever asks wait.
type slowAudit struct{ clock *testutil.Clock }

func (s slowAudit) Live(context.Context, string, string, string) ([]audit.Mint, error) {
	s.clock.Advance(4 * time.Second)
	return nil, errStoreAway
}

func (s slowAudit) Longest(context.Context) (int64, error) {
	s.clock.Advance(4 * time.Second)
	return 0, errStoreAway
}

// An audit that makes its readers wait for seconds delays the revocation of a subject, and does not prevent it.
func TestRevokingWhileTheMintAuditHangs(t *testing.T) {
	clock := testutil.NewClock(time.Now())
	store := &addedRevocations{RevocationStore: authstore.NewInMemoryRevocationStore()}
	denylist := revocation.NewDenylist(revocation.DenylistConfig{Store: store, Log: slog.New(slog.DiscardHandler), Clock: clock.Now})
	revoker := newRevoker(authstore.NewInMemorySessionStore(), denylist, slowAudit{clock}, clock.Now)
	began := clock.Now()
	for _, revoke := range []func() (revocation.Ended, error){
		func() (revocation.Ended, error) { return revoker.Subject(t.Context(), "alice", revocation.Cause{}) },
		func() (revocation.Ended, error) { return revoker.Session(t.Context(), "session", revocation.Cause{}) },
	} {
		_, err := revoke()
		require.ErrorIs(t, err, errStoreAway)
	}
	_, err := revoker.Token(t.Context(), "token", revocation.Cause{})
	require.NoError(t, err)
	assert.Equal(t, 12*time.Second, clock.Now().Sub(began), "it is asked once by each")
	for _, token := range []clientauth.TokenRef{{Subject: "alice", IssuedAt: began.Unix()}, {SessionID: "session"}, {ID: "token"}} {
		denied, err := denylist.Denied(t.Context(), token)
		require.NoError(t, err)
		assert.True(t, denied, "%+v", token)
	}
}
