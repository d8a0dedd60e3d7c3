package serverauth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
)

const claimsSecret = "a secret of the directory"

// claimsServer answers as a test tells it, and keeps what it was asked.
type claimsServer struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	answer string
	asked  []map[string]any
}

func newClaimsServer(t *testing.T) *claimsServer {
	t.Helper()
	c := &claimsServer{status: 200, answer: "{}"}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(claimsSecret))
		mac.Write(body)
		assert.Equal(t, "sha256="+hex.EncodeToString(mac.Sum(nil)), r.Header.Get("X-Picoauth-Signature"))
		assert.Equal(t, "POST application/json", r.Method+" "+r.Header.Get("Content-Type"))
		c.mu.Lock()
		defer c.mu.Unlock()
		var question map[string]any
		assert.NoError(t, json.Unmarshal(body, &question))
		c.asked = append(c.asked, question)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(c.status)
		_, _ = io.WriteString(w, c.answer)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *claimsServer) set(status int, answer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status, c.answer = status, answer
}

func (c *claimsServer) settings(more ...any) map[string]any {
	s := map[string]any{"claims_url": c.URL + "/claims?key=hidden", "claims_secret": claimsSecret}
	for i := 0; i < len(more); i += 2 {
		s[more[i].(string)] = more[i+1]
	}
	return s
}

func TestClaimsURLIsAskedAtSignInLoginAndRefresh(t *testing.T) {
	c := newClaimsServer(t)
	s := startServer(t, c.settings("auto_create_admin", true, "admin_password", "correct horse", "fleet_mint_secret", fleetSecret))
	w := newWallet(t, "eip191")
	c.set(200, `{"role":"editor","groups":["staff"],"scope":"a b","email":"ada@example.com","name":"Ada","claims":{"seats":12345678901234567890},"later":1}`)
	in := s.signIn(w)
	claims := jwtPart(t, in.Access, 1)
	for claim, want := range map[string]any{"role": "editor", "groups": []any{"staff"}, "scope": "a b", "email": "ada@example.com", "name": "Ada"} {
		assert.Equal(t, want, claims[claim], claim)
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(in.Access, ".")[1])
	require.NoError(t, err)
	assert.Contains(t, string(text), `"seats":12345678901234567890`, "no digit is lost")
	c.set(200, `{"role":"reader"}`)
	assert.Equal(t, "reader", jwtPart(t, s.refresh(in.Refresh).tokens(t).Access, 1)["role"])
	wallet := map[string]any{
		"sub": w.Address, "kind": "wallet", "algorithm": "eip191", "account": "eip155:1:" + w.Address,
		"wallet_id": claims["wallet_id"], "wallet_address": w.Address,
	}
	c.set(200, `{}`)
	s.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(t)
	admin := map[string]any{"sub": "admin@pico.local", "kind": "admin", "algorithm": "", "account": "", "wallet_id": "", "wallet_address": ""}
	s.fleetToken("agent")
	assert.Equal(t, []map[string]any{wallet, wallet, admin}, c.asked)
}

func TestClaimsURLRefuses(t *testing.T) {
	c := newClaimsServer(t)
	s := startServer(t, c.settings())
	w := newWallet(t, "Ed25519")
	for _, refusal := range []struct {
		status int
		answer string
	}{{403, "no"}, {200, `{"blocked":true,"role":"admin"}`}} {
		c.set(200, "{}")
		in := s.signIn(w)
		c.set(refusal.status, refusal.answer)
		body := s.signInBody(w)
		s.post("/sign-in", body).problem(t, 403, "subject refused")
		s.post("/sign-in", body).problem(t, 401, "invalid or expired challenge")
		s.refresh(in.Refresh).problem(t, 403, "subject refused")
		c.set(200, "{}")
		s.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
	}
}

func TestClaimsURLThatFailsBurnsNothing(t *testing.T) {
	c := newClaimsServer(t)
	s, log := watched(t, c.settings())
	w := newWallet(t, "Ed25519")
	in := s.signIn(w)
	for name, failure := range map[string]struct {
		status int
		answer string
	}{
		"500": {500, `{}`}, "404": {404, `{}`}, "a redirect": {302, `{}`}, "201": {201, `{"role":"admin"}`}, "401": {401, ""},
		"no JSON": {200, "hello"}, "a list": {200, "[]"}, "null": {200, "null"}, "empty": {200, ""}, "data behind it": {200, `{} {}`},
		"a wrong type": {200, `{"role":["admin"]}`}, "a reserved claim": {200, `{"claims":{"Role":"admin"}}`},
		"too much": {200, `{"name":"` + strings.Repeat("a", 1<<17) + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			body := s.signInBody(w)
			c.set(failure.status, failure.answer)
			for range 2 {
				r := s.post("/sign-in", body)
				r.problem(t, 503, "temporarily unavailable")
				assert.NotEmpty(t, r.header.Get("Retry-After"))
				s.refresh(in.Refresh).problem(t, 503, "temporarily unavailable")
			}
			c.set(200, "{}")
			s.post("/sign-in", body).tokens(t)
			in = s.refresh(in.Refresh).tokens(t)
		})
	}
	c.Close()
	body := s.signInBody(w)
	s.post("/sign-in", body).problem(t, 503, "temporarily unavailable")
	failures := log.events(t, "request failed")
	require.NotEmpty(t, failures)
	for _, failure := range failures {
		assert.NotContains(t, failure["error"], "hidden", "the URL may hold a key")
	}
}

func TestANonceIsSpentOnceWhileClaimsURLIsAsked(t *testing.T) {
	c := newClaimsServer(t)
	s := startServer(t, c.settings())
	w := newWallet(t, "Ed25519")
	body := s.signInBody(w)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if s.post("/sign-in", body).status == 200 {
				won.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, won.Load())

	wrong := s.signInBody(w)
	right := wrong["signature"]
	wrong["signature"] = strings.Repeat("00", 64)
	s.post("/sign-in", wrong).problem(t, 401, "signature verification failed")
	wrong["signature"] = right
	s.post("/sign-in", wrong).problem(t, 401, "invalid or expired challenge")
}

func TestClaimsURLMustBeSafe(t *testing.T) {
	for _, test := range []struct{ url, secret, fault string }{
		{"http://directory.internal/claims", claimsSecret, "claims_url: must be an https URL"},
		{"ftp://127.0.0.1/claims", claimsSecret, "claims_url: must be"},
		{"/claims", claimsSecret, "claims_url: must be"},
		{"https://user:password@directory.internal/", claimsSecret, "claims_url: must be"},
		{"https://directory.internal/claims#x", claimsSecret, "claims_url: must be"},
		{"https://directory.internal/claims", "", "claims_secret: must have at least 16 characters"},
		{"https://directory.internal/claims", "short", "claims_secret: must have at least 16 characters if claims_url is set, and has 5"},
		{"https://directory.internal:8443/claims?x=1", claimsSecret, ""},
		{"http://127.0.0.1:9000/claims", claimsSecret, ""},
		{"http://localhost/claims", claimsSecret, ""},
		{"http://[::1]:9000/claims", claimsSecret, ""},
	} {
		settings := serverauth.DefaultServerAuthSettings()
		settings.ClaimsURL, settings.ClaimsSecret = test.url, test.secret
		err := settings.Validate()
		if test.fault == "" {
			assert.NoError(t, err, test.url)
			continue
		}
		assert.ErrorContains(t, err, test.fault, test.url)
		assert.NotContains(t, err.Error(), "password")
	}
}

// claimsChild tells the test that it runs as its own child process: Go reads the environment's proxy once.
const claimsChild = "PICOAUTH_TEST_CLAIMS_CHILD"

func TestClaimsURLIsAskedThroughTheProxyOfTheEnvironment(t *testing.T) {
	if os.Getenv(claimsChild) != "" {
		s := startServer(t, map[string]any{"claims_url": "https://example.com/claims", "claims_secret": claimsSecret})
		in := s.signIn(newWallet(t, "Ed25519"))
		assert.Equal(t, "from behind the proxy", jwtPart(t, in.Access, 1)["role"])
		return
	}
	directory := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"role":"from behind the proxy"}`)
	}))
	t.Cleanup(directory.Close)
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: directory.Certificate().Raw})
	require.NoError(t, os.WriteFile(caFile, certificate, 0o600))
	var tunnelled atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "example.com:443" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		tunnelled.Add(1)
		tunnel(w, directory.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), claimsChild+"=1", "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "SSL_CERT_FILE="+caFile)
	output, err := child.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.EqualValues(t, 1, tunnelled.Load())
}

// tunnel answers a CONNECT by joining its connection with one to address.
func tunnel(w http.ResponseWriter, address string) {
	to, err := net.Dial("tcp", address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = to.Close()
		return
	}
	go func() { _, _ = io.Copy(to, buffered); _ = to.Close() }()
	_, _ = io.Copy(from, to)
	_ = from.Close()
}
