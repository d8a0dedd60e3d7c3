package clientauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// instances are services of one name, https://api.example.com, that share a Redis.
type instances struct {
	testing.TB
	issuer *testutil.Issuer
	key    testutil.ProofKey
	token  string
	urls   []string
}

func startInstances(t testing.TB, redisURL string, settings map[string]any) *instances {
	t.Helper()
	s := &instances{TB: t, issuer: testutil.NewIssuer(t, testutil.IssuerConfig{}), key: testutil.NewProofKey("ES256")}
	s.token = s.issuer.Mint(testutil.Token{Claims: map[string]any{"cnf": map[string]any{"jkt": s.key.Thumbprint()}}})
	section := map[string]any{"public_url": "https://api.example.com", "dpop_storage_url": redisURL}
	for name, value := range settings {
		section[name] = value
	}
	for range 2 {
		running := testutil.NewApp(t, clientauth.Module, testutil.WithIssuer(s.issuer), app.ConfigMap(map[string]any{"auth_client": section}),
			fx.Invoke(func(e *echo.Echo) { e.GET("/me", func(c echo.Context) error { return c.NoContent(http.StatusOK) }) }))
		s.urls = append(s.urls, running.URL)
	}
	return s
}

func (s *instances) proof(claims map[string]any) string {
	return s.key.Proof(http.MethodGet, "https://api.example.com/me", s.token, claims)
}

// get asks one of the instances.
func (s *instances) get(instance int, path, proof string) *http.Response {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.urls[instance]+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Authorization", "DPoP "+s.token)
	request.Header.Set("DPoP", proof)
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	_ = reply.Body.Close()
	return reply
}

func (s *instances) answers(instance int, proof string, want int) *http.Response {
	s.Helper()
	reply := s.get(instance, "/me", proof)
	if reply.StatusCode != want {
		s.Errorf("instance %d answers %d, not %d: %v", instance, reply.StatusCode, want, reply.Header)
	}
	return reply
}

func (s *instances) becomes(so func() bool) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatal("it does not come to that")
		}
	}
}

func TestInstancesShareUsedProofs(t *testing.T) {
	redis := services.Redis(t)
	s := startInstances(t, redis.NewDatabase(t), nil)
	for n := range 4 {
		proof := s.proof(nil)
		s.answers(n%2, proof, 200)
		s.answers(n%2, proof, 401)
		s.answers(1-n%2, proof, 401)
	}
	id := map[string]any{"jti": "the same in two proofs"}
	s.answers(0, s.proof(id), 200)
	s.answers(1, s.proof(id), 401)
	if reply := s.get(0, "/readyz", ""); reply.StatusCode != 200 {
		t.Errorf("ready: %d", reply.StatusCode)
	}

	proof := s.proof(nil)
	redis.Kill(t)
	for instance := range 2 {
		if reply := s.answers(instance, proof, 503); reply.Header.Get("Retry-After") == "" {
			t.Errorf("%v", reply.Header)
		}
	}
	s.becomes(func() bool { return s.get(0, "/readyz", "").StatusCode == 503 })
	redis.Start(t)
	s.becomes(func() bool { return s.get(0, "/me", s.proof(nil)).StatusCode == 200 })
	s.answers(1, s.proof(id), 401) // what Redis had answered it still knows
}

func TestAFullRedisForgetsNothing(t *testing.T) {
	s := startInstances(t, services.Redis(t).NewDatabase(t), map[string]any{"dpop_cache_size": 3})
	first := s.proof(nil)
	s.answers(0, first, 200)
	s.answers(1, s.proof(nil), 200)
	s.answers(0, s.proof(nil), 200)
	for instance := range 2 {
		if reply := s.answers(instance, s.proof(nil), 503); reply.Header.Get("Retry-After") == "" {
			t.Errorf("%v", reply.Header)
		}
		s.answers(instance, first, 401)
	}

	full := services.Redis(t, "maxmemory=1", "maxmemory-policy=noeviction")
	s = startInstances(t, full.NewDatabase(t), nil)
	s.answers(0, s.proof(nil), 503)
	evicting := services.Redis(t, "maxmemory=100mb", "maxmemory-policy=allkeys-lru")
	s = startInstances(t, evicting.NewDatabase(t), nil)
	s.answers(0, s.proof(nil), 503) // one that forgets is none
}

func TestInstancesShareNonces(t *testing.T) {
	s := startInstances(t, services.Redis(t).NewDatabase(t), map[string]any{"dpop_nonce": true})
	reply := s.answers(0, s.proof(nil), 401)
	nonce := reply.Header.Get("DPoP-Nonce")
	if !strings.Contains(reply.Header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`) || nonce == "" {
		t.Errorf("%v", reply.Header)
	}
	for instance := range 2 {
		s.answers(instance, s.proof(map[string]any{"nonce": nonce}), 200)
	}
}

// A service starts while its Redis is away, and says of a wrong URL nothing but what is wrong.
func TestTheURLOfUsedProofs(t *testing.T) {
	s := startInstances(t, "redis://127.0.0.1:1", nil)
	s.answers(0, s.proof(nil), 503)
	for _, text := range []string{"postgres://u:secret@h/d", "redis://:se/cret@h", "secret"} {
		settings := clientauth.DefaultSettings()
		settings.DPoPStorageURL = text
		err := settings.Validate()
		if err == nil || !strings.Contains(err.Error(), "dpop_storage_url") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
