package serverauth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/mr-tron/base58"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

// server is a running auth server that a test speaks HTTP with.
type server struct {
	t      testing.TB
	url    string
	client *http.Client
}

// startServer runs an embedded server with the given server_auth settings. Its rate limit is off unless set.
func startServer(t testing.TB, settings map[string]any, options ...fx.Option) *server {
	t.Helper()
	all := map[string]any{"rate_limit_per_minute": 0, "algorithm": "EdDSA"}
	maps.Copy(all, settings)
	running := testutil.NewApp(t, append([]fx.Option{
		app.ConfigMap(map[string]any{"server_auth": all}), serverauth.Module, clientauth.Module,
	}, options...)...)
	client := &http.Client{Transport: documented(t, &http.Transport{MaxIdleConnsPerHost: 128})}
	t.Cleanup(client.CloseIdleConnections)
	return &server{t: t, url: running.URL, client: client}
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(r.body, &v), "body: %s", r.body)
	return v
}

// problem asserts an application/problem+json reply.
func (r reply) problem(t testing.TB, status int, detail string) {
	t.Helper()
	assert.Equal(t, status, r.status, "body: %s", r.body)
	assert.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
	body := r.json(t)
	assert.Equal(t, detail, body["detail"])
	assert.EqualValues(t, status, body["status"])
	assert.Equal(t, "about:blank", body["type"])
	assert.Equal(t, http.StatusText(status), body["title"])
	assert.NotEmpty(t, body["code"])
}

func (s *server) do(method, path, contentType string, body []byte, header ...string) reply {
	s.t.Helper()
	if !strings.HasPrefix(path, "/.") {
		path = serverauth.Prefix + path
	}
	request, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	require.NoError(s.t, err)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := s.client.Do(request)
	require.NoError(s.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return reply{response.StatusCode, response.Header, text}
}

func (s *server) post(path string, body any, header ...string) reply {
	s.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(s.t, err)
	return s.do(http.MethodPost, path, "application/json", text, header...)
}

func (s *server) get(path string, header ...string) reply {
	s.t.Helper()
	return s.do(http.MethodGet, path, "", nil, header...)
}

// ask asks a challenge for the address, with further fields as pairs.
func (s *server) ask(address string, fields ...string) testutil.Challenge {
	s.t.Helper()
	body := map[string]any{"address": address}
	for i := 0; i < len(fields); i += 2 {
		body[fields[i]] = fields[i+1]
	}
	r := s.post("/challenge", body)
	require.Equal(s.t, http.StatusOK, r.status, "body: %s", r.body)
	var c testutil.Challenge
	require.NoError(s.t, json.Unmarshal(r.body, &c))
	return c
}

func (s *server) challenge(address string) string {
	s.t.Helper()
	return s.ask(address).Challenge
}

// signInBody is a whole, right sign-in request of the wallet.
func (s *server) signInBody(w *testutil.Wallet) map[string]any {
	s.t.Helper()
	body, err := testutil.SignInRequest(w, s.ask(w.Address, "algorithm", w.Algorithm))
	require.NoError(s.t, err)
	return body
}

type tokens struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	Type      string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"`
	Address   string `json:"address"`
	Algorithm string `json:"algorithm"`
}

func (r reply) tokens(t testing.TB) tokens {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, "body: %s", r.body)
	assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
	var out tokens
	require.NoError(t, json.Unmarshal(r.body, &out))
	return out
}

func (s *server) signIn(w *testutil.Wallet) tokens {
	s.t.Helper()
	return s.post("/sign-in", s.signInBody(w)).tokens(s.t)
}

func newWallet(t testing.TB, algorithm string) *testutil.Wallet {
	t.Helper()
	w, err := testutil.NewWallet(algorithm)
	require.NoError(t, err)
	return w
}

// jwtPart decodes the header (0) or the claims (1) of a token without checking it.
func jwtPart(t testing.TB, token string, part int) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[part])
	require.NoError(t, err)
	var v map[string]any
	require.NoError(t, json.Unmarshal(text, &v))
	return v
}

func populate(targets ...any) fx.Option { return fx.Populate(targets...) }

func base58Of(raw []byte) string { return base58.Encode(raw) }

func discardLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// signInTogether sends all sign-ins at once, and returns how many of them were answered 200 and how many 401. It fails the
// test for any other status.
func (s *server) signInTogether(bodies ...map[string]any) (accepted, refused int) {
	s.t.Helper()
	statuses := make([]int, len(bodies))
	var all sync.WaitGroup
	start := make(chan struct{})
	for i, body := range bodies {
		all.Go(func() {
			<-start
			statuses[i] = s.post("/sign-in", body).status
		})
	}
	close(start)
	all.Wait()
	for _, status := range statuses {
		switch status {
		case http.StatusOK:
			accepted++
		case http.StatusUnauthorized:
			refused++
		default:
			s.t.Errorf("status %d", status)
		}
	}
	return accepted, refused
}

const fleetSecret = "a fleet secret of these tests"

// operated is a server with an administrator and a fleet.
func operated(t testing.TB, settings map[string]any) (*server, string) {
	t.Helper()
	all := map[string]any{"auto_create_admin": true, "admin_password": "correct horse", "fleet_mint_secret": fleetSecret}
	maps.Copy(all, settings)
	s := startServer(t, all)
	return s, s.admin()
}

var adminSettings = map[string]any{"auto_create_admin": true, "admin_password": "correct horse"}

// admin signs the administrator in and returns its access token.
func (s *server) admin() string {
	s.t.Helper()
	return s.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(s.t).Access
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func (s *server) fleet(body map[string]any) reply {
	return s.post("/fleet/sessions", body, "X-Fleet-Secret", fleetSecret)
}

func (s *server) fleetToken(role string) string {
	s.t.Helper()
	r := s.fleet(map[string]any{"session_id": "session-1", "agent_id": "agent-1", "role": role})
	require.Equal(s.t, 200, r.status, "%s", r.body)
	return r.json(s.t)["session_token"].(string)
}

func (s *server) refresh(token string, header ...string) reply {
	s.t.Helper()
	return s.post("/refresh", map[string]any{"refresh_token": token}, header...)
}

// introspectActive calls a protected path: 404 says that the token was accepted.
func (s *server) introspectActive(token string) int {
	s.t.Helper()
	if s.get("/no-such-path", "Authorization", "Bearer "+token).status == http.StatusNotFound {
		return http.StatusOK
	}
	return http.StatusUnauthorized
}

// mintPage is what GET /mints answers.
type mintPage struct {
	Items []struct {
		audit.Mint
		SID     string `json:"sid"`
		Revoked bool   `json:"revoked"`
		Lost    int64  `json:"lost"`
	} `json:"items"`
	Head audit.Head `json:"head"`
	Next string     `json:"next"`
}

func (s *server) mints(query, token string) (page mintPage) {
	s.t.Helper()
	r := s.get("/mints"+query, bearer(token)...)
	require.Equal(s.t, http.StatusOK, r.status, "body: %s", r.body)
	assert.Equal(s.t, "no-store", r.header.Get("Cache-Control"))
	require.NoError(s.t, json.Unmarshal(r.body, &page))
	return page
}

// sharedBackend opens the same stores every time, as a database does.
type sharedBackend struct{ stores *store.Stores }

func (sharedBackend) Schemes() []string { return []string{"shared"} }

func (b sharedBackend) Open(context.Context, store.BackendConfig) (*store.Stores, error) {
	return b.stores, nil
}

func newSharedBackend(t testing.TB) fx.Option {
	t.Helper()
	challenges, err := serverauth.NewInMemoryChallengeStore(serverauth.DefaultServerAuthSettings())
	require.NoError(t, err)
	backend := sharedBackend{&store.Stores{
		Challenges: challenges, Sessions: store.NewInMemorySessionStore(), Revocations: store.NewInMemoryRevocationStore(),
		Mints: audit.NewMemoryStore(), Keys: keys.NewMemoryStore(),
	}}
	return serverauth.AsBackend(func() sharedBackend { return backend })
}

// eventLog holds what a server logged.
type eventLog struct{ testutil.LogRecords }

// watched is a server whose log a test reads.
func watched(t testing.TB, settings map[string]any, options ...fx.Option) (*server, *eventLog) {
	t.Helper()
	log := &eventLog{}
	return startServer(t, settings, append(options,
		fx.Decorate(func() *slog.Logger { return slog.New(slog.NewJSONHandler(log, nil)) }))...), log
}

func (l *eventLog) events(t testing.TB, message string) []map[string]any {
	t.Helper()
	return l.Of(t, message)
}

// expect asserts that the last record of an event has its name, a level and these attributes.
func (l *eventLog) expect(t testing.TB, event, level string, attributes map[string]any) {
	t.Helper()
	records := l.events(t, event)
	require.NotEmpty(t, records, event)
	last := records[len(records)-1]
	for name, want := range attributes {
		assert.Equal(t, want, last[name], "%s of %s", name, event)
	}
	assert.Equal(t, event, last["event"])
	assert.Equal(t, level, last["level"], event)
}

type claimsFunc func(context.Context, store.Subject) (serverauth.Claims, error)

func (f claimsFunc) Claims(ctx context.Context, s store.Subject) (serverauth.Claims, error) {
	return f(ctx, s)
}

// sign puts the wallet's signature of the body's challenge into the body.
func sign(t testing.TB, body map[string]any, w *testutil.Wallet) {
	signature, err := w.Sign([]byte(body["challenge"].(string)))
	require.NoError(t, err)
	body["signature"] = hex.EncodeToString(signature)
}

// signText is a sign-in request with the text as its message, signed.
func signText(t testing.TB, w *testutil.Wallet, text string) map[string]any {
	t.Helper()
	signature, err := w.Sign([]byte(text))
	require.NoError(t, err)
	body := map[string]any{"algorithm": w.Algorithm, "message": text, "signature": hex.EncodeToString(signature)}
	if w.PublicKey != nil {
		body["public_key"] = w.PublicKeyHex()
	}
	return body
}
