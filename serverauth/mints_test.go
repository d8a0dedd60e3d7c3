package serverauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
)

// withMintStore replaces the mint store.
func withMintStore(store audit.Store) fx.Option {
	return fx.Decorate(func() audit.Store { return store })
}

func TestMintsAreForOperators(t *testing.T) {
	s := startServer(t, adminSettings)
	assert.Equal(t, http.StatusUnauthorized, s.get("/mints").status)
	assert.Equal(t, http.StatusUnauthorized, s.get("/mints?limit=x").status)
	in := s.signIn(newWallet(t, "Ed25519"))
	assert.Equal(t, http.StatusForbidden, s.get("/mints", bearer(in.Access)...).status)
	assert.Equal(t, http.StatusOK, s.do(http.MethodHead, "/mints", "", nil, bearer(s.admin())...).status)
}

func TestMintsLimit(t *testing.T) {
	var recorder *audit.Recorder
	s := startServer(t, adminSettings, fx.Populate(&recorder))
	admin := s.admin()
	for i := range 1100 {
		recorder.Record(mintAt(i, time.Now(), time.Hour))
	}
	for query, want := range map[string]int{"": 200, "?limit=": 200, "?limit=1": 1, "?limit=1000": 1000, "?limit=5000": 1000} {
		page := s.mints(query, admin)
		require.Len(t, page.Items, want, query)
		assert.Equal(t, "jti-1099", page.Items[0].ID, "newest first")
		assert.EqualValues(t, 1101, page.Head.Seq)
	}
	for _, query := range []string{"0", "-1", "x", "1.5", "%201"} {
		s.get("/mints?limit="+query, bearer(admin)...).problem(t, http.StatusBadRequest, "limit must be a whole number from 1 to 1000")
	}
	s.get("/mints?page=2", bearer(admin)...).problem(t, http.StatusBadRequest, `unknown query parameter: "page"`)
}

func TestMintsShowWhatIsRevoked(t *testing.T) {
	s := startServer(t, adminSettings)
	admin := s.admin()
	w := newWallet(t, "Ed25519")
	first, second := s.signIn(w), s.signIn(w)
	page := s.mints("", admin)
	require.Len(t, page.Items, 3)
	assert.NotEmpty(t, page.Items[0].WalletID)
	for i, in := range []tokens{second, first} {
		assert.Equal(t, jwtPart(t, in.Access, 1)["jti"], page.Items[i].ID)
		assert.False(t, page.Items[i].Revoked)
	}
	revoked := s.post("/revoke", map[string]any{"sid": page.Items[1].SessionID}, bearer(admin)...)
	require.Equal(t, http.StatusOK, revoked.status)
	page = s.mints("", admin)
	assert.Equal(t, []bool{false, true, false}, []bool{page.Items[0].Revoked, page.Items[1].Revoked, page.Items[2].Revoked})
}

func TestMintsHeadProvesThatNothingWasCut(t *testing.T) {
	var recorder *audit.Recorder
	rows := audit.NewMemoryStore()
	s := startServer(t, adminSettings, withMintStore(rows), fx.Populate(&recorder))
	admin := s.admin()
	head := s.mints("", admin).Head
	assert.EqualValues(t, 1, head.Seq)
	s.signIn(newWallet(t, "Ed25519"))
	page := s.mints("", admin)
	assert.EqualValues(t, 2, page.Head.Seq)
	_, err := recorder.Verify(t.Context(), head, page.Head)
	require.NoError(t, err)
	head.MAC[0] ^= 1
	var broken *audit.Error
	_, err = recorder.Verify(t.Context(), head)
	require.ErrorAs(t, err, &broken)
}

func TestMintsShowAGap(t *testing.T) {
	var recorder *audit.Recorder
	var down atomic.Bool
	store := awayMints{audit.NewMemoryStore(), &down}
	s := startServer(t, adminSettings, withMintStore(store), fx.Populate(&recorder))
	admin := s.admin()
	s.mints("", admin)
	down.Store(true)
	for i := range 100_005 {
		recorder.Record(mintAt(i, time.Now(), time.Hour))
	}
	r := s.get("/mints", bearer(admin)...)
	r.problem(t, http.StatusServiceUnavailable, "temporarily unavailable")
	assert.Equal(t, http.StatusOK, s.introspectActive(s.signIn(newWallet(t, "Ed25519")).Access), "a sign-in does not notice")
	down.Store(false)
	page := s.mints("?limit=2", admin)
	assert.EqualValues(t, 6, page.Items[0].Lost)
	assert.Empty(t, page.Items[0].ID)
	assert.False(t, page.Items[0].Revoked)
	assert.Equal(t, "jti-99999", page.Items[1].ID)
}

func (p mintPage) ids() (ids []string) {
	for _, item := range p.Items {
		ids = append(ids, item.ID)
	}
	return ids
}

func TestMintsOfOneSubjectSessionAndToken(t *testing.T) {
	s, admin := operated(t, map[string]any{"require_message": false})
	hex := newWallet(t, "Ed25519")
	solana := *hex
	solana.Address = base58Of(hex.PublicKey)
	first, second, other := s.signIn(hex), s.signIn(&solana), s.signIn(newWallet(t, "eip191"))
	fleet := jwtPart(t, s.fleetToken("agent"), 1)
	of := func(in tokens, name string) string { return jwtPart(t, in.Access, 1)[name].(string) }
	both := []string{of(second, "jti"), of(first, "jti")}
	for query, want := range map[string][]string{
		"sub=" + hex.Address:                              both,
		"sub=0X" + strings.ToUpper(hex.Address) + "%20":   both,
		"sub=" + of(first, "wallet_id"):                   both,
		"sub=" + strings.ToLower(other.Address):           {of(other, "jti")},
		"sub=" + url.QueryEscape(of(other, "account")):    {of(other, "jti")},
		"sub=session-1":                                   {fleet["jti"].(string)},
		"sid=session-1&sub=&jti=&before=&limit=":          {fleet["jti"].(string)},
		"sid=" + of(first, "sid"):                         {of(first, "jti")},
		"jti=" + of(first, "jti"):                         {of(first, "jti")},
		"jti=" + of(first, "jti") + "&sub=" + hex.Address: {of(first, "jti")},
		"jti=" + of(first, "jti") + "&sub=session-1":      nil,
		"sub=nobody": nil,
	} {
		page := s.mints("?"+query, admin)
		assert.Equal(t, want, page.ids(), query)
		assert.Empty(t, page.Next, query)
	}
	page := s.mints("?sub=ADMIN@pico.local", admin)
	require.Len(t, page.Items, 1)
	item := page.Items[0]
	assert.Equal(t, jwtPart(t, admin, 1)["sid"], item.SID)
	assert.Equal(t, item.SID, item.SessionID)
	assert.Equal(t, "pico", item.ClientID)
	assert.Equal(t, "127.0.0.1", item.Client)
	assert.NotEmpty(t, item.RequestID)
	for query, detail := range map[string]string{
		"sub=%20": "sub is blank", "sub=" + strings.Repeat("0", 8193): "sub is longer than 8192 bytes", "subject=x": `unknown query parameter: "subject"`, "before=x": "before must be the next of a page",
		"before=5": "before must be the next of a page", "before=m0": "before must be the next of a page",
		"before=m+5": "before must be the next of a page", "limit=0": "limit must be a whole number from 1 to 1000",
	} {
		s.get("/mints?"+query, bearer(admin)...).problem(t, http.StatusBadRequest, detail)
	}
}

func TestMintsInPages(t *testing.T) {
	var recorder *audit.Recorder
	s := startServer(t, adminSettings, fx.Populate(&recorder))
	admin := s.admin()
	for i := range 100 {
		recorder.Record(mintAt(i, time.Now(), time.Hour))
	}
	all := s.mints("?limit=5000", admin)
	require.Len(t, all.Items, 101)
	assert.Empty(t, all.Next)
	for _, filter := range []string{"", "&sub=sub-3"} {
		want := s.mints("?limit=1000"+filter, admin).ids()
		var got []string
		next, pages := "", 0
		for more := true; more; more = next != "" {
			page := s.mints("?limit=7"+filter+"&before="+next, admin)
			got = append(got, page.ids()...)
			next = page.Next
			recorder.Record(mintAt(1000+pages, time.Now(), time.Hour)) // what comes meanwhile moves no page
			pages++
		}
		assert.Equal(t, want, got, filter)
		assert.Equal(t, (len(want)+6)/7, pages)
	}
}

func TestMintsKeepTheIDOfTheRequest(t *testing.T) {
	s := startServer(t, adminSettings)
	admin := s.admin()
	s.post("/sign-in", s.signInBody(newWallet(t, "Ed25519")), "X-Request-Id", "of-my-own-1").tokens(t)
	assert.Equal(t, "of-my-own-1", s.mints("?limit=1", admin).Items[0].RequestID)
}

// A token by which an agent acts for somebody is recorded with the whole chain, and ends with everybody in it.
func TestMintsKeepTheChainOfActors(t *testing.T) {
	var issuer *serverauth.TokenIssuer
	s := startServer(t, adminSettings, populate(&issuer))
	admin := s.admin()
	chain := &clientauth.Actor{Subject: "agent-2", ClientID: "job", Actor: &clientauth.Actor{Subject: "fleet-1", ClientID: "planner"}}
	issue := func(actor *clientauth.Actor) {
		_, err := issuer.IssueAccessToken(t.Context(), serverauth.AccessTokenRequest{Subject: "0xabc", Actor: actor})
		require.NoError(t, err)
	}
	issue(chain)
	issue(&clientauth.Actor{Subject: "agent-3"})
	var raw struct{ Items []map[string]any }
	require.NoError(t, json.Unmarshal(s.get("/mints?sub=0xabc", bearer(admin)...).body, &raw))
	assert.Equal(t, map[string]any{"sub": "agent-2", "client_id": "job", "act": map[string]any{"sub": "fleet-1", "client_id": "planner"}}, raw.Items[1]["act"])
	assert.NotContains(t, string(s.get("/mints?limit=1&sub=admin@pico.local", bearer(admin)...).body), `"act"`)
	assert.Equal(t, http.StatusOK, s.post("/revoke", map[string]any{"sid": "fleet-1"}, bearer(admin)...).status)
	revoked := func() []bool {
		items := s.mints("?sub=0xabc", admin).Items
		return []bool{items[0].Revoked, items[1].Revoked}
	}
	assert.Equal(t, []bool{false, true}, revoked())
	assert.Equal(t, http.StatusOK, s.post("/revoke", map[string]any{"sub": "agent-3"}, bearer(admin)...).status)
	assert.Equal(t, []bool{true, true}, revoked())
}

// mintAt is the nth mint of a test: made at that time, it lives as long as told.
// Tokens of a session that was asked for by a request of OAuth are found in the audit by that request, refreshed ones too.
func TestMintsNameTheRequestOfTheSession(t *testing.T) {
	var sessions *session.Service
	s := startServer(t, map[string]any{"auto_create_admin": true, "admin_password": "correct horse", "mint_audit_min_ttl_seconds": 0}, populate(&sessions))
	subject := store.Subject{ID: newWallet(t, "Ed25519").Address, Kind: store.KindWallet}
	in, err := sessions.Start(t.Context(), subject, session.Origin{At: time.Now(), ClientID: "client", RequestID: "request-of-oauth"}, nil)
	require.NoError(t, err)
	s.refresh(in.RefreshToken).tokens(t)
	items := s.mints("?sub="+subject.ID, s.admin()).Items
	require.Len(t, items, 2)
	for _, item := range items {
		assert.Equal(t, "request-of-oauth", item.RequestID)
	}
}

func mintAt(n int, at time.Time, life time.Duration) audit.Mint {
	return audit.Mint{
		ID: fmt.Sprintf("jti-%d", n), Subject: fmt.Sprintf("sub-%d", n%7), SessionID: fmt.Sprintf("sid-%d", n%13),
		WalletID: fmt.Sprintf("wallet-%d", n%3), Role: "wallet", Kind: store.KindWallet,
		IssuedAt: at.Unix(), ExpiresAt: at.Add(life).Unix(),
	}
}

var errStoreAway = errors.New("store is away")

// awayMints is a store that cannot be reached while it is down.
type awayMints struct {
	audit.Store
	down *atomic.Bool
}

func (s awayMints) Head(ctx context.Context) (audit.Head, error) {
	if s.down.Load() {
		return audit.Head{}, errStoreAway
	}
	return s.Store.Head(ctx)
}

func (s awayMints) Append(ctx context.Context, after audit.Head, rows []audit.Entry) (audit.Head, bool, error) {
	if s.down.Load() {
		return audit.Head{}, false, errStoreAway
	}
	return s.Store.Append(ctx, after, rows)
}
