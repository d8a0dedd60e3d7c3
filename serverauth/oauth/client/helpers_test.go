package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

const (
	issuer        = "https://auth.example.com"
	tokenEndpoint = issuer + "/api/v1/auth/oauth/token"
)

func registryOf(t *testing.T, clients ...client.Config) *client.Registry {
	t.Helper()
	settings := client.DefaultSettings()
	settings.Clients = clients
	require.NoError(t, settings.Validate(known))
	registry, err := client.NewRegistry(client.RegistryConfig{Settings: settings, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return registry
}

// authServer is a real server whose only endpoint says which client called.
type authServer struct {
	url   string
	clock *testutil.Clock
}

func newAuthServer(t *testing.T, perMinute int, registry *client.Registry) *authServer {
	t.Helper()
	s := &authServer{clock: testutil.NewClock(time.Unix(1_800_000_000, 0))}
	authenticator := client.NewAuthenticator(client.AuthenticatorConfig{
		Registry: registry, Audiences: []string{issuer, tokenEndpoint}, Realm: "pico", RateLimitPerMinute: perMinute, ClockSkew: time.Minute,
		Used: store.NewInMemoryUsedStore(s.clock.Now), Clock: s.clock.Now,
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		address := r.Header.Get("X-Address")
		if address == "" {
			address, _, _ = net.SplitHostPort(r.RemoteAddr)
		}
		found, err := authenticator.Authenticate(r, r.PostForm, address)
		var refusal *client.Error
		switch {
		case errors.As(err, &refusal):
			for name, values := range refusal.Header {
				w.Header()[name] = values
			}
			w.WriteHeader(refusal.Status)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": refusal.Code, "error_description": refusal.Description})
		case err != nil:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_ = json.NewEncoder(w).Encode(map[string]string{"client": found.ID})
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// answer is what the server said.
type answer struct {
	Status      int
	Header      http.Header
	Client      string `json:"client"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// post sends a form, with pairs of names and values of headers.
func (s *authServer) post(t *testing.T, form url.Values, headers ...string) (a answer) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	_ = json.NewDecoder(response.Body).Decode(&a)
	a.Status, a.Header = response.StatusCode, response.Header
	return a
}

// keyPair is a client's key, with a server that publishes it.
type keyPair struct {
	private *ecdsa.PrivateKey
	url     string
}

func newKeyPair(t *testing.T) keyPair {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	document, err := json.Marshal(jose.Set{Keys: []jose.Key{{ID: "one", Algorithm: "ES256", Public: &private.PublicKey}}})
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) }))
	t.Cleanup(server.Close)
	return keyPair{private, server.URL}
}

func (k keyPair) sign(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = "one"
	text, err := token.SignedString(k.private)
	require.NoError(t, err)
	return text
}
