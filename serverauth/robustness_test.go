package serverauth_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// target is a server that a test reaches without the network, also with requests that no client would send.
type target struct {
	*server
	echo  *echo.Echo
	admin string
}

func startTarget(t testing.TB, settings map[string]any) *target {
	t.Helper()
	target := &target{}
	all := map[string]any{"auto_create_admin": true, "admin_password": "correct horse", "fleet_mint_secret": fleetSecret}
	for name, value := range settings {
		all[name] = value
	}
	target.server = startServer(t, all, populate(&target.echo))
	target.admin = target.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(t).Access
	return target
}

// send hands a request to the server's handler. A path that is none, which net/http would refuse, is reported false.
func (s *target) send(r broken) (reply, bool) {
	address, err := url.ParseRequestURI(r.path)
	if err != nil {
		return reply{}, false
	}
	request := &http.Request{
		Method: r.method, URL: address, RequestURI: r.path, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "localhost",
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(r.body)), ContentLength: int64(len(r.body)), RemoteAddr: "192.0.2.1:1",
	}
	if r.chunked {
		request.ContentLength = -1
	}
	for i := 0; i < len(r.header); i += 2 {
		request.Header.Add(r.header[i], r.header[i+1])
	}
	recorder := httptest.NewRecorder()
	s.echo.ServeHTTP(recorder, request)
	return reply{recorder.Code, recorder.Header(), recorder.Body.Bytes()}, true
}

// broken is a request that is not as it should be.
type broken struct {
	name, method, path string
	header             []string // name, value, …
	body               []byte
	chunked            bool
}

// endpoint is one that takes a JSON object. A whole request to it is answered with a 2xx.
type endpoint struct {
	path   string
	header []string
	whole  func() map[string]any
	slow   bool // to sign
}

func (e endpoint) request(name string, body []byte) broken {
	return broken{name: e.path + ": " + name, method: http.MethodPost, path: serverauth.Prefix + e.path, body: body,
		header: append([]string{"Content-Type", "application/json"}, e.header...)}
}

func (s *target) endpoints() []endpoint {
	operator, fleet := bearer(s.admin), []string{"X-Fleet-Secret", fleetSecret}
	signIn := func(algorithm string) func() map[string]any {
		w := newWallet(s.t, algorithm)
		return func() map[string]any { return s.signInBody(w) }
	}
	session := s.signIn(newWallet(s.t, "Ed25519"))
	w := newWallet(s.t, "eip191")
	return []endpoint{
		{"/challenge", nil, func() map[string]any {
			return map[string]any{"address": w.Address, "algorithm": "eip191", "chain_id": "eip155:1", "domain": "localhost:8100"}
		}, false},
		{"/sign-in", nil, signIn("Ed25519"), false},
		{"/sign-in", nil, signIn("ML-DSA-65"), true},
		{"/sign-in", nil, signIn("secp256k1"), true},
		{"/sign-in", nil, signIn("eip191"), false},
		{"/sign-in", nil, signIn(testutil.SolanaWallet), false},
		{"/login", nil, func() map[string]any { return map[string]any{"email": "admin@pico.local", "password": "correct horse"} }, false},
		{"/refresh", nil, func() map[string]any {
			session.Refresh = s.refresh(session.Refresh).tokens(s.t).Refresh
			return map[string]any{"refresh_token": session.Refresh}
		}, false},
		{"/logout", nil, func() map[string]any { return map[string]any{"refresh_token": "x"} }, false},
		{"/fleet/sessions", fleet, func() map[string]any {
			return map[string]any{"session_id": "run", "agent_id": "a", "role": "agent", "ttl": 60, "scope": "read"}
		}, false},
		{"/revoke", operator, func() map[string]any { return map[string]any{"jti": "no such token", "reason": "r"} }, false},
		{"/introspect", operator, func() map[string]any { return map[string]any{"token": s.admin} }, false},
		{"/introspect", fleet, func() map[string]any { return map[string]any{"token": s.admin} }, false},
	}
}

// internals is what no reply may show.
var internals = regexp.MustCompile(`goroutine|panic|runtime|\.go:|\*http\.|echo\.|json: |koanf|strconv|unmarshal|0xc0[0-9a-f]{8}`)

var problemCode = regexp.MustCompile(`^[a-z][a-z_]*$`)

// judge says what is wrong with the reply to a broken request, or nothing.
func judge(r broken, got reply) string {
	private := []string{"/challenge", "/sign-in", "/login", "/refresh", "/fleet/sessions", "/introspect"}
	path, _, _ := strings.Cut(strings.TrimPrefix(r.path, serverauth.Prefix), "?")
	if got.status < 400 {
		if got.status == http.StatusOK && r.method == http.MethodPost && slices.Contains(private, path) && got.header.Get("Cache-Control") != "no-store" {
			return "a token or a nonce may be stored"
		}
		return ""
	}
	var problem struct {
		Type, Title, Detail, Code string
		Status                    int
	}
	switch {
	case got.status >= 500:
		return "server error"
	case got.header.Get("Content-Type") != "application/problem+json":
		return "no problem but " + got.header.Get("Content-Type")
	case got.header.Get("Cache-Control") != "no-store":
		return "an error may be stored"
	case json.Unmarshal(got.body, &problem) != nil:
		return "no JSON"
	case problem.Type != "about:blank" || problem.Status != got.status || problem.Title != http.StatusText(got.status) || problem.Detail == "":
		return "an incomplete problem"
	case !problemCode.MatchString(problem.Code):
		return "no code"
	case len(got.body) > 600 || internals.Match(got.body):
		return "it says too much"
	}
	return ""
}

// attack sends the requests from several goroutines and reports the replies that are wrong, and how many of each status
// there were.
func (s *target) attack(t *testing.T, requests []broken) map[int]int {
	t.Helper()
	statuses, mistakes, next := map[int]int{}, 0, make(chan broken)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for r := range next {
				got, sent := s.send(r)
				if !sent {
					continue
				}
				wrong := judge(r, got)
				mu.Lock()
				statuses[got.status]++
				if wrong != "" {
					if mistakes++; mistakes <= 20 {
						t.Errorf("%s: %s\n%s %.100s %.300q\nbody %.300q\nreply %d %v %.600s", r.name, wrong, r.method, r.path, r.header, r.body, got.status, got.header, got.body)
					}
				}
				mu.Unlock()
			}
		})
	}
	for _, r := range requests {
		next <- r
	}
	close(next)
	wg.Wait()
	t.Logf("%d requests, replies by status: %v", len(requests), statuses)
	return statuses
}

func TestBrokenFieldsAreRefusedByAProblem(t *testing.T) {
	s := startTarget(t, nil)
	random := rand.New(rand.NewPCG(1, 2))
	var requests []broken
	for _, e := range s.endpoints() {
		whole, sent := s.send(e.request("whole", encode(t, e.whole())))
		require.True(t, sent)
		require.Less(t, whole.status, 300, "%s: %s", e.path, whole.body)
		requests = append(requests, brokenFields(t, e, random)...)
	}
	statuses := s.attack(t, requests)
	assert.Greater(t, statuses[400], 1500)
	s.signIn(newWallet(t, "ML-DSA-65")) // it still works
}

func TestBrokenBodiesAreRefusedByAProblem(t *testing.T) {
	s := startTarget(t, nil)
	random := rand.New(rand.NewPCG(3, 4))
	for _, e := range s.endpoints() {
		for _, test := range brokenBodies(encode(t, e.whole()), random) {
			if e.path == "/challenge" && test.name == "empty" {
				continue // it asks for a challenge of no address
			}
			got, _ := s.send(test.of(e))
			if got.status != test.status || test.detail != "" && got.json(t)["detail"] != test.detail {
				t.Errorf("%s %s: want %d %q, got %d %s\nbody %.300q", e.path, test.name, test.status, test.detail, got.status, got.body, test.body)
			}
			if wrong := judge(test.of(e), got); wrong != "" {
				t.Errorf("%s %s: %s: %d %s", e.path, test.name, wrong, got.status, got.body)
			}
		}
	}
}

func TestTheTypeOfEachFieldIsNamedWhenItIsWrong(t *testing.T) {
	s := startTarget(t, nil)
	for _, e := range s.endpoints() {
		for field := range e.whole() {
			for _, wrong := range []string{"true", "[]", "{}", "1.5", `["a"]`} {
				want := "field " + field + " must be a string"
				if field == "ttl" {
					want = "field ttl must be a whole number within range"
				}
				body := encode(t, with(e.whole(), field, json.RawMessage(wrong)))
				got, _ := s.send(e.request(field, body))
				got.problem(t, http.StatusBadRequest, want)
				assert.Equal(t, "wrong_type", got.json(t)["code"])
			}
		}
	}
}

func TestBrokenPathsMethodsAndHeaders(t *testing.T) {
	s := startTarget(t, nil)
	requests := append(brokenPaths(s), brokenHeaders(s)...)
	rand.New(rand.NewPCG(11, 12)).Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
	statuses := s.attack(t, append(brokenQueries(s), requests[:4000]...))
	assert.NotZero(t, statuses[401])
	assert.NotZero(t, statuses[405]+statuses[404])
	s.signIn(newWallet(t, "Ed25519"))
}

func TestALargeBodyOfAFormIsRefused(t *testing.T) {
	s := startTarget(t, nil)
	for _, chunked := range []bool{false, true} {
		form := broken{name: "form", method: http.MethodPost, path: serverauth.Prefix + "/introspect", chunked: chunked,
			header: append(bearer(s.admin), "Content-Type", "application/x-www-form-urlencoded"),
			body:   []byte("token=" + strings.Repeat("a", app.MaxJSONBody))}
		got, _ := s.send(form)
		assert.Empty(t, judge(form, got))
		assert.Equal(t, http.StatusRequestEntityTooLarge, got.status, "%s", got.body)
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}

// with returns a copy of the object in which one field is another; nil leaves it out.
func with(object map[string]any, field string, value any) map[string]any {
	next := map[string]any{}
	for name, was := range object {
		next[name] = was
	}
	next[field] = value
	if value == nil {
		delete(next, field)
	}
	return next
}
