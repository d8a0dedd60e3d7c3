package serverauth_test

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth"
)

// mintPage is what GET /mints answers.
type mintPage struct {
	Items []struct {
		serverauth.Mint
		Revoked bool  `json:"revoked"`
		Lost    int64 `json:"lost"`
	} `json:"items"`
	Head serverauth.AuditHead `json:"head"`
}

func (s *server) mints(query, token string) (page mintPage) {
	s.t.Helper()
	r := s.get("/mints"+query, bearer(token)...)
	require.Equal(s.t, http.StatusOK, r.status, "body: %s", r.body)
	assert.Equal(s.t, "no-store", r.header.Get("Cache-Control"))
	require.NoError(s.t, json.Unmarshal(r.body, &page))
	return page
}

// withMintStore replaces the mint store.
func withMintStore(store serverauth.MintStore) fx.Option {
	return fx.Decorate(func() serverauth.MintStore { return store })
}

var adminSettings = map[string]any{"auto_create_admin": true, "admin_password": "correct horse"}

func (s *server) admin() string {
	s.t.Helper()
	return s.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(s.t).Access
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
	var audit *serverauth.AuditRecorder
	s := startServer(t, adminSettings, fx.Populate(&audit))
	admin := s.admin()
	for i := range 1100 {
		audit.Record(mintAt(i, time.Now(), time.Hour))
	}
	for query, want := range map[string]int{"": 200, "?limit=": 200, "?limit=1": 1, "?limit=1000": 1000} {
		page := s.mints(query, admin)
		require.Len(t, page.Items, want, query)
		assert.Equal(t, "jti-1099", page.Items[0].ID, "newest first")
		assert.EqualValues(t, 1101, page.Head.Seq)
	}
	for _, query := range []string{"0", "-1", "1001", "x", "1.5", "%201", "99999999999999999999"} {
		s.get("/mints?limit="+query, bearer(admin)...).problem(t, http.StatusBadRequest, "limit must be a whole number from 1 to 1000")
	}
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
	var audit *serverauth.AuditRecorder
	rows := &auditRows{}
	s := startServer(t, adminSettings, withMintStore(rows), fx.Populate(&audit))
	admin := s.admin()
	head := s.mints("", admin).Head
	assert.EqualValues(t, 1, head.Seq)
	s.signIn(newWallet(t, "Ed25519"))
	page := s.mints("", admin)
	assert.EqualValues(t, 2, page.Head.Seq)
	_, err := audit.Verify(t.Context(), head, page.Head)
	require.NoError(t, err)
	head.MAC[0] ^= 1
	var broken *serverauth.AuditError
	_, err = audit.Verify(t.Context(), head)
	require.ErrorAs(t, err, &broken)
}

func TestMintsShowAGap(t *testing.T) {
	var audit *serverauth.AuditRecorder
	var down atomic.Bool
	store := &auditFaults{serverauth.NewInMemoryMintStore(), func(string) (bool, bool) { return down.Load(), false }}
	s := startServer(t, adminSettings, withMintStore(store), fx.Populate(&audit))
	admin := s.admin()
	s.mints("", admin)
	down.Store(true)
	for i := range 100_005 {
		audit.Record(mintAt(i, time.Now(), time.Hour))
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
