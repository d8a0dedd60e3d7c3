package serverauth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/mr-tron/base58"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
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
