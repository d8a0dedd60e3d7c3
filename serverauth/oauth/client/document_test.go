package client_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/testutil"
)

// documentHost is a server with one document, at /client.json.
type documentHost struct {
	*httptest.Server
	id    string
	body  atomic.Pointer[string]
	serve atomic.Pointer[http.HandlerFunc] // instead; nil: the body
	asked atomic.Int64
}

func newDocumentHost(t *testing.T) *documentHost {
	t.Helper()
	h := &documentHost{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.asked.Add(1)
		if serve := h.serve.Load(); serve != nil {
			(*serve)(w, r)
			return
		}
		if r.Header.Get("Accept") != "application/json" {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=600")
		_, _ = io.WriteString(w, *h.body.Load())
	}))
	t.Cleanup(h.Close)
	h.id = h.URL + "/client.json"
	h.is(`"client_name": "Agent", "redirect_uris": ["http://127.0.0.1/cb", "https://app.example.com/cb"]`)
	return h
}

// is sets the members of the document beside its client_id.
func (h *documentHost) is(members string) {
	body := fmt.Sprintf(`{"client_id": %q, %s}`, h.id, members)
	h.body.Store(&body)
}

func (h *documentHost) answers(serve http.HandlerFunc) { h.serve.Store(&serve) }

func documentRegistry(t *testing.T, clock *testutil.Clock, insecure ...string) *client.Registry {
	t.Helper()
	settings := client.DefaultSettings()
	settings.ClientMetadataDocuments, settings.InsecureClientHosts = client.DocumentsOn, insecure
	require.NoError(t, settings.Validate(known))
	registry, err := client.NewRegistry(client.RegistryConfig{Settings: settings, Known: known, Clock: clock.Now, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return registry
}

func testClock() *testutil.Clock { return testutil.NewClock(time.Unix(1_800_000_000, 0)) }

func TestDocument(t *testing.T) {
	h, clock := newDocumentHost(t), testClock()
	registry := documentRegistry(t, clock, h.Listener.Addr().String())
	find := func() (*client.Client, error) { return registry.Find(context.Background(), h.id) }

	found, err := find()
	require.NoError(t, err)
	assert.Equal(t, h.id, found.ID)
	assert.Equal(t, "Agent", found.Name)
	assert.Equal(t, client.Document, found.Source)
	assert.Equal(t, h.Listener.Addr().String(), found.Host("http://127.0.0.1/cb"), "the host of the document, not of the redirect")
	assert.True(t, found.IsPublic())
	assert.True(t, found.AllowsRedirect("http://127.0.0.1:3000/cb"))
	assert.Equal(t, client.ConsentAsk, found.Consent)
	assert.False(t, found.Introspect || found.Denylist || found.AllowsGrant(client.GrantClientCredentials))

	for range 50 {
		_, err = find()
		require.NoError(t, err)
	}
	assert.EqualValues(t, 1, h.asked.Load(), "it is cached")
	clock.Advance(599 * time.Second)
	_, _ = find()
	assert.EqualValues(t, 1, h.asked.Load())

	h.is(`"redirect_uris": ["https://new.example.com/cb"]`)
	clock.Advance(2 * time.Second)
	found, err = find()
	require.NoError(t, err)
	assert.EqualValues(t, 2, h.asked.Load())
	assert.False(t, found.AllowsRedirect("https://app.example.com/cb"), "what changed counts")
	assert.Equal(t, h.Listener.Addr().String(), found.Name)

	h.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	clock.Advance(601 * time.Second)
	found, err = find()
	require.NoError(t, err, "a host that is down takes nothing away")
	assert.True(t, found.AllowsRedirect("https://new.example.com/cb"))

	h.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	clock.Advance(11 * time.Second)
	_, err = find()
	require.ErrorIs(t, err, client.ErrUnknown)
	h.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	clock.Advance(11 * time.Second)
	_, err = find()
	require.ErrorIs(t, err, client.ErrUnreachable, "what was gone does not come back with a host that is down")
}

func TestDocumentCacheControl(t *testing.T) {
	for header, ttl := range map[string]time.Duration{
		"": time.Minute, "no-store": time.Minute, "max-age=0": time.Minute, "max-age=x": time.Minute, "max-age=120": 2 * time.Minute,
		"private, MAX-AGE=3600": time.Hour, "max-age=99999999": 24 * time.Hour, `max-age="90"`: 90 * time.Second,
	} {
		h, clock := newDocumentHost(t), testClock()
		h.answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", header)
			_, _ = io.WriteString(w, *h.body.Load())
		})
		registry := documentRegistry(t, clock, "127.0.0.1")
		for _, c := range []struct {
			after time.Duration
			asked int64
		}{{0, 1}, {ttl - time.Second, 1}, {time.Second, 2}} {
			clock.Advance(c.after)
			_, err := registry.Find(context.Background(), h.id)
			require.NoError(t, err, header)
			assert.Equal(t, c.asked, h.asked.Load(), header)
		}
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	const uris = `"redirect_uris": ["https://app.example.com/cb"]`
	for name, members := range map[string]string{
		"no redirect":          `"client_name": "x"`,
		"empty redirects":      `"redirect_uris": []`,
		"a faulty redirect":    `"redirect_uris": ["https://app.example.com/cb", "http://app.example.com/cb"]`,
		"a secret":             uris + `, "client_secret": "x"`,
		"an empty secret":      uris + `, "client_secret": ""`,
		"a symmetric method":   uris + `, "token_endpoint_auth_method": "client_secret_basic"`,
		"a symmetric JWT":      uris + `, "token_endpoint_auth_method": "client_secret_jwt"`,
		"a key without keys":   uris + `, "token_endpoint_auth_method": "private_key_jwt"`,
		"keys that are none":   uris + `, "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}`,
		"a symmetric key":      uris + `, "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}`,
		"another's id":         uris + `, "client_id": "https://other.example.com/client.json"`,
		"a wrong type":         `"redirect_uris": "https://app.example.com/cb"`,
		"a name that is twice": uris + `, ` + uris,
	} {
		h := newDocumentHost(t)
		h.is(members)
		_, err := documentRegistry(t, testClock(), "127.0.0.1").Find(context.Background(), h.id)
		assert.ErrorIs(t, err, client.ErrUnknown, name)
	}
	h := newDocumentHost(t)
	h.is(uris + `, "client_name": "a\u202eb", "unknown": {"x": 1}, "contacts": ["x"], "grant_types": ["authorization_code", "client_credentials", "password"]`)
	found, err := documentRegistry(t, testClock(), "127.0.0.1").Find(context.Background(), h.id)
	require.NoError(t, err, "unknown members are ignored")
	assert.Equal(t, h.Listener.Addr().String(), found.Name, "a name that cannot be shown is left out")
	assert.Equal(t, []string{client.GrantCode}, found.Grants)
}

func TestAnswersThatAreNoDocument(t *testing.T) {
	h := newDocumentHost(t)
	other := newDocumentHost(t)
	for name, serve := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.id, http.StatusFound)
		},
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, *h.body.Load()+strings.Repeat(" ", 64<<10))
		},
		"no JSON":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"nothing":  func(http.ResponseWriter, *http.Request) {},
		"an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"a cut body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		},
	} {
		h.answers(serve)
		_, err := documentRegistry(t, testClock(), "127.0.0.1").Find(context.Background(), h.id)
		assert.Error(t, err, name)
	}
	assert.Zero(t, other.asked.Load(), "a redirect is not followed")
}

// TestDocumentsOfPrivateHosts is a stranger who has the server ask its own network.
func TestDocumentsOfPrivateHosts(t *testing.T) {
	var connected atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connected.Add(1)
			connection.Close()
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	registry := documentRegistry(t, testClock(), "localhost:1")
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]", "100.64.0.1"} {
		_, err := registry.Find(context.Background(), "https://"+host+":"+port+"/client.json")
		assert.ErrorIs(t, err, client.ErrUnreachable, host)
		assert.ErrorContains(t, err, "public", host)
	}
	assert.Zero(t, connected.Load())
	for _, id := range []string{"http://127.0.0.1:" + port + "/client.json", "http://localhost:2/client.json"} {
		_, err = registry.Find(context.Background(), id)
		assert.ErrorIs(t, err, client.ErrUnknown, "http is for insecure hosts")
	}
}

func TestIDsThatAreNoDocuments(t *testing.T) {
	h := newDocumentHost(t)
	registry := documentRegistry(t, testClock(), "127.0.0.1")
	for _, id := range []string{
		h.URL, h.URL + "/", h.id + "#x", h.id + "#", strings.Replace(h.id, "//", "//u@", 1), strings.Replace(h.id, "//", "//u:p@", 1), h.URL + "/a/../client.json",
		h.URL + "/./client.json", h.URL + "/%2e%2e/client.json", h.URL + "/a/%2E/client.json", h.id + " ", h.id + "\n", "HTTP" + h.id[4:], h.id[5:], "ftp" + h.id[4:],
		h.URL + "/" + strings.Repeat("a", 1024), "", "client", "https://%D0%B0pple.example/client.json",
	} {
		_, err := registry.Find(context.Background(), id)
		assert.ErrorIs(t, err, client.ErrUnknown, id)
	}
	assert.Zero(t, h.asked.Load())
	off, err := client.NewRegistry(client.RegistryConfig{Settings: client.DefaultSettings()})
	require.NoError(t, err)
	_, err = off.Find(context.Background(), h.id)
	require.ErrorIs(t, err, client.ErrUnknown)
	assert.Zero(t, h.asked.Load(), "they are off by default")
}

func TestDocumentsOfOneHostAreFetchedSoOften(t *testing.T) {
	names := []string{"localhost", "LOCALHOST", "localHost", "Localhost"}
	h := newDocumentHost(t)
	_, port, err := net.SplitHostPort(h.Listener.Addr().String())
	require.NoError(t, err)
	registry := documentRegistry(t, testClock(), names...)
	for i := range 100 { // a host has many ways to be written
		_, err := registry.Find(context.Background(), fmt.Sprintf("http://%s:%s/%d", names[i%len(names)], port, i))
		assert.Error(t, err)
	}
	assert.EqualValues(t, 60, h.asked.Load())
}

// TestDocumentWithAKey authenticates with private_key_jwt, whose keys are fetched by the same rules.
func TestDocumentWithAKey(t *testing.T) {
	keys, h := newKeyPair(t), newDocumentHost(t)
	h.is(`"redirect_uris": ["https://app.example.com/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "` + keys.url + `/jwks"`)
	authenticate := func(insecure ...string) answer {
		s := newAuthServer(t, 0, documentRegistry(t, testClock(), insecure...))
		return s.post(t, map[string][]string{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {keys.sign(t, jwt.MapClaims{
			"iss": h.id, "sub": h.id, "aud": issuer, "jti": "x", "exp": s.clock.Now().Add(time.Minute).Unix()})}})
	}
	assert.Equal(t, h.id, authenticate("127.0.0.1").Client)
	refused := authenticate(h.Listener.Addr().String())
	assert.Equal(t, "invalid_client", refused.Error, "the host of the keys is not allowed")
}

func FuzzDocument(f *testing.F) {
	f.Add(`{"client_id": "x", "redirect_uris": ["https://a.example.com/"]}`)
	f.Add(`{"client_id": "x", "jwks": {"keys": [{"kty": "EC"}]}, "token_endpoint_auth_method": "private_key_jwt"}`)
	f.Fuzz(func(t *testing.T, text string) {
		made, err := client.ReadDocument("https://app.example.com/client.json", []byte(text))
		if err != nil {
			return
		}
		if made.ID != "https://app.example.com/client.json" || made.Name == "" || len(made.RedirectURIs) == 0 || made.AllowsGrant(client.GrantClientCredentials) {
			t.Fatalf("%q became %+v", text, made)
		}
	})
}
