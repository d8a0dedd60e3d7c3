package testutil

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// defaultAudience is the audience of an [Issuer] and of [Authenticated] that were given none.
const defaultAudience = "pico"

// IssuerConfig configures an [Issuer]; the zero value will do.
type IssuerConfig struct {
	// Name is the claim iss of its tokens; empty is its URL. Discovery by OpenID Connect needs the URL.
	Name string
	// Audience is the claim aud of its tokens; empty is "pico".
	Audience string
	// Algorithms are those of [jose.Algorithms] that it has a key for. The first signs where a [Token] names none;
	// empty is RS256.
	Algorithms []string
	// KeysMaxAge is the max-age that the JWKS is sent with, in whole seconds; 0 sends none.
	KeysMaxAge time.Duration
	// Clock is the time that tokens are made by; nil is the system's.
	Clock app.Clock
}

// Issuer is an auth server for the tests of a service that uses clientauth, or any other client of JWTs: it publishes
// keys and a denylist on a loopback port, makes every token that a test needs, good or flawed, and misbehaves on demand.
// It is safe for concurrent use and ends with its test.
//
// A service under test trusts it through [WithIssuer], [Issuer.Settings] or [Issuer.TrustedIssuer].
type Issuer struct {
	// URL is its base URL, without a trailing slash.
	URL string
	// Name and Audience are the claims iss and aud of its tokens.
	Name, Audience string
	// Secret is what its denylist demands, as X-Fleet-Secret or as a bearer token.
	Secret string
	// JWKS serves its public keys; "?kty=RSA,EC,OKP" filters them.
	JWKS *Endpoint
	// Denylist serves what was revoked.
	Denylist *Endpoint
	// Discovery serves /.well-known/openid-configuration.
	Discovery *Endpoint

	tb         testing.TB
	algorithms []string
	maxAge     time.Duration
	clock      app.Clock
	skew       atomic.Int64 // nanoseconds
	keys       signingKeys
	revoked    revokedList
}

// NewIssuer starts an issuer that ends with its test.
func NewIssuer(tb testing.TB, cfg IssuerConfig) *Issuer {
	tb.Helper()
	i := &Issuer{tb: tb, Audience: cmp.Or(cfg.Audience, defaultAudience), Secret: rand.Text(), maxAge: cfg.KeysMaxAge,
		clock: cfg.Clock, algorithms: slices.Clone(cfg.Algorithms)}
	if len(i.algorithms) == 0 {
		i.algorithms = []string{jose.RS256}
	}
	i.keys.renew(tb, i.algorithms)

	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	i.URL = server.URL
	i.Name = cmp.Or(cfg.Name, i.URL)
	i.JWKS = i.serve(mux, "/api/v1/auth/jwks", i.jwks)
	i.Denylist = i.serve(mux, "/api/v1/auth/revoked-jtis", i.revokedJTIs)
	i.Discovery = i.serve(mux, "/.well-known/openid-configuration", i.discovery)
	tb.Cleanup(func() {
		for _, endpoint := range []*Endpoint{i.JWKS, i.Denylist, i.Discovery} {
			endpoint.Heal()
		}
		server.Close()
	})
	return i
}

func (i *Issuer) serve(mux *http.ServeMux, path string, healthy http.HandlerFunc) *Endpoint {
	endpoint := newEndpoint(i.URL+path, healthy)
	mux.Handle("GET "+path, endpoint)
	return endpoint
}

// Settings are the keys of the section auth_client that make a service trust the issuer: the flat ones, or an entry of
// its list "issuers".
func (i *Issuer) Settings() map[string]any {
	return map[string]any{
		"issuer": i.Name, "audience": i.Audience, "accepted_algorithms": slices.Clone(i.algorithms),
		"jwks_url": i.JWKS.URL, "revocation_endpoint": i.Denylist.URL, "revocation_secret": i.Secret,
	}
}

// WithIssuer makes clientauth.Module trust the issuer, in an app of app.New (or [NewApp]). An fx app with a koanf of its
// own loads [Issuer.Settings] into that.
func WithIssuer(i *Issuer) fx.Option {
	return app.ConfigMap(map[string]any{clientauth.SettingsSection: i.Settings()})
}

// TrustedIssuer makes a plain validator trust the issuer. Keys and denylist are fetched from its endpoints as a service
// would fetch them, and cached anew for each call, by the issuer's clock without its skew. Their log is silent.
func (i *Issuer) TrustedIssuer() clientauth.TrustedIssuer {
	i.tb.Helper()
	quiet := slog.New(slog.DiscardHandler)
	keys, err := clientauth.NewRemoteKeySet(clientauth.RemoteKeySetConfig{URL: i.JWKS.URL, Clock: i.clock, Logger: quiet})
	if err != nil {
		i.tb.Fatalf("testutil: %v", err)
	}
	denylist, err := clientauth.NewRemoteDenylist(clientauth.RemoteDenylistConfig{URL: i.Denylist.URL, Secret: i.Secret,
		Clock: i.clock, Logger: quiet})
	if err != nil {
		i.tb.Fatalf("testutil: %v", err)
	}
	return clientauth.TrustedIssuer{Issuer: i.Name, Audience: i.Audience, Algorithms: slices.Clone(i.algorithms),
		Keys: keys, Denylist: denylist}
}

// Skew puts the issuer's clock ahead of its Clock by d, which may be negative.
func (i *Issuer) Skew(d time.Duration) { i.skew.Store(int64(d)) }

func (i *Issuer) now() time.Time { return i.clock.Now().Add(time.Duration(i.skew.Load())) }

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{
		"issuer": i.Name, "jwks_uri": i.JWKS.URL + "?kty=RSA,EC,OKP", "id_token_signing_alg_values_supported": i.algorithms,
		"response_types_supported": []string{}, "subject_types_supported": []string{"public"},
	})
}

// isSecret reports whether a request shows the issuer's secret.
func (i *Issuer) isSecret(header http.Header) bool {
	bearer, _ := strings.CutPrefix(header.Get("Authorization"), "Bearer ")
	return header.Get("X-Fleet-Secret") == i.Secret || bearer == i.Secret
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // a client that has gone is no fault of the issuer
}
