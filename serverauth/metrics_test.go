package serverauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

func (s *server) metrics() map[string]float64 {
	s.t.Helper()
	series, err := testutil.Scrape(context.Background(), s.url)
	require.NoError(s.t, err)
	return series
}

// scraped is the text of /metrics.
func (s *server) scraped() []byte {
	s.t.Helper()
	reply, err := s.client.Get(s.url + "/metrics")
	require.NoError(s.t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(s.t, err)
	return text
}

func TestMetrics(t *testing.T) {
	s, operator := operated(t, map[string]any{"refresh_grace_seconds": 0})
	raw, ethereum := newWallet(t, "Ed25519"), newWallet(t, "eip191")
	in := s.signIn(raw)
	s.signIn(ethereum)
	body := s.signInBody(raw)
	body["signature"] = strings.Repeat("00", 64)
	s.post("/sign-in", body)
	s.post("/sign-in", body) // its nonce is spent
	body["algorithm"] = "none"
	s.post("/sign-in", body)
	s.post("/login", map[string]any{"email": "admin@pico.local", "password": "secret password"})
	next := s.refresh(s.refresh(in.Refresh).tokens(t).Refresh).tokens(t)
	s.refresh(in.Refresh) // reuse
	s.refresh("garbage")
	s.fleetToken("agent")
	s.post("/fleet/sessions", map[string]any{}, "X-Fleet-Secret", "secret guess")
	s.get("/revoked-jtis", "X-Fleet-Secret", "secret guess")
	s.fleet(map[string]any{"session_id": "a@example.com", "agent_id": "agent-1"})
	s.get("/keys", bearer(operator)...)
	s.get("/keys", bearer("garbage")...)
	series := s.metrics()
	for name, want := range map[string]float64{
		`picoauth_sign_ins_total{algorithm="Ed25519",outcome="success"}`:                                    1,
		`picoauth_sign_ins_total{algorithm="eip191",outcome="success"}`:                                     1,
		`picoauth_sign_ins_total{algorithm="Ed25519",outcome="invalid_signature"}`:                          1,
		`picoauth_sign_ins_total{algorithm="Ed25519",outcome="invalid_challenge"}`:                          1,
		`picoauth_sign_ins_total{algorithm="other",outcome="unsupported_algorithm"}`:                        1,
		`picoauth_logins_total{outcome="success"}`:                                                          1,
		`picoauth_logins_total{outcome="invalid_credentials"}`:                                              1,
		`picoauth_refreshes_total{outcome="success"}`:                                                       2,
		`picoauth_refreshes_total{outcome="refresh_reused"}`:                                                1,
		`picoauth_refreshes_total{outcome="refresh_invalid"}`:                                               1,
		`picoauth_tokens_issued_total{kind="wallet"}`:                                                       4,
		`picoauth_tokens_issued_total{kind="admin"}`:                                                        1,
		`picoauth_tokens_issued_total{kind="fleet"}`:                                                        1,
		`picoauth_fleet_refusals_total{code="invalid_fleet_secret"}`:                                        2,
		`picoauth_fleet_refusals_total{code="invalid_session_id"}`:                                          1,
		`picoauth_signing_keys{algorithm="EdDSA",state="active"}`:                                           1,
		`picoauth_signing_keys{algorithm="EdDSA",state="pending"}`:                                          1,
		`picoauth_signing_keys{algorithm="EdDSA",state="retired"}`:                                          0,
		`picoauth_audit_lost_mints_total`:                                                                   0,
		`picoauth_store_operation_duration_seconds_count{operation="validate",store="challenges"}`:          4,
		`picoauth_store_operation_duration_seconds_count{operation="create",store="sessions"}`:              3,
		`picoauth_store_operation_duration_seconds_count{operation="rotate",store="sessions"}`:              3,
		`picoauth_store_errors_total{operation="rotate",store="sessions"}`:                                  0,
		`picoauth_http_request_duration_seconds_count{method="GET",route="/api/v1/auth/keys",status="2xx"}`: 1,
		`picoauth_http_request_duration_seconds_count{method="GET",route="/api/v1/auth/keys",status="4xx"}`: 1,
	} {
		got, exists := series[name]
		assert.True(t, exists, name)
		assert.Equal(t, want, got, name)
	}
	assert.NotZero(t, series["picoauth_denylist_entries"], "the session that was ended")
	for name, most := range map[string]float64{
		"picoauth_denylist_age_seconds": 60, `picoauth_signing_key_age_seconds{algorithm="EdDSA",state="active"}`: 60,
		`picoauth_signing_key_age_seconds{algorithm="EdDSA",state="pending"}`: 60, "picoauth_audit_pending_mints": 20,
	} {
		got, exists := series[name]
		assert.True(t, exists && got >= 0 && got <= most, "%s is %v", name, got)
	}

	text := s.scraped()
	kid := jwtPart(t, operator, 0)["kid"].(string)
	for _, private := range []string{
		raw.Address, ethereum.Address, next.Access, next.Refresh, operator, kid, "@", "session-1", "secret guess", "secret password", "127.0.0.1",
	} {
		assert.False(t, bytes.Contains(text, []byte(private)), private)
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	require.NoError(t, err)
	for _, problem := range problems {
		if strings.HasPrefix(problem.Metric, "picoauth_") {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
	}
}

// What clients choose does not add to the number of series.
func TestSeriesAreBounded(t *testing.T) {
	s, operator := operated(t, map[string]any{"rate_limit_per_minute": 100_000})
	abuse := func(n int) {
		junk := fmt.Sprintf("junk-%d-\xff", n)
		s.post("/sign-in", map[string]any{"address": junk, "public_key": junk, "signature": junk, "challenge": junk, "algorithm": junk})
		s.post("/sign-in", map[string]any{"address": junk, "public_key": "00", "signature": "00", "challenge": junk, "algorithm": "Ed25519", "encoding": junk})
		s.post("/challenge", map[string]any{"address": junk, "algorithm": junk, "domain": junk})
		s.post("/login", map[string]any{"email": junk, "password": junk})
		s.refresh(junk)
		s.post("/fleet/sessions", map[string]any{"session_id": junk}, "X-Fleet-Secret", junk)
		s.fleet(map[string]any{"session_id": junk, "agent_id": junk, "role": junk})
		s.get(fmt.Sprintf("/keys/%d", n), bearer(operator)...)
		s.get(fmt.Sprintf("/unknown/%d", n), bearer(operator)...)
		s.do(fmt.Sprintf("VERB%d", n), "/jwks", "", nil)
		s.post(fmt.Sprintf("/keys/%d/compromised", n), nil, bearer(operator)...)
		s.get("/keys", bearer(junk)...)
	}
	abuse(0)
	before := ours(s.metrics())
	for n := 1; n < 20; n++ {
		abuse(n)
	}
	after := ours(s.metrics())
	for name := range after {
		// The first scrape counts itself after it has answered, and the stores are tidied up meanwhile.
		if !before[name] && !strings.Contains(name, `route="/metrics"`) && !strings.Contains(name, "picoauth_store_") {
			t.Errorf("%s is new", name)
		}
		assert.NotContains(t, name, "junk")
	}
}

// ours is the names of this project's series.
func ours(series map[string]float64) map[string]bool {
	names := make(map[string]bool)
	for name := range series {
		if strings.HasPrefix(name, "picoauth_") {
			names[name] = true
		}
	}
	return names
}

func TestRateLimitedRequestsAreCounted(t *testing.T) {
	s := startServer(t, map[string]any{"rate_limit_per_minute": 2})
	for range 5 {
		s.post("/challenge", map[string]any{"address": "00"})
	}
	assert.Equal(t, 3.0, s.metrics()[`picoauth_rate_limited_requests_total{endpoint="/challenge"}`])
}

// outage is a storage of sessions and challenges that cannot be reached while it lasts.
type outage struct{ lasts atomic.Bool }

func (o *outage) err() error {
	if o.lasts.Load() {
		return errors.New("connection refused")
	}
	return nil
}

type outageOfSessions struct {
	store.SessionStore
	o *outage
}

func (s outageOfSessions) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.RotationOutcome, error) {
	if err := s.o.err(); err != nil {
		return store.Session{}, 0, err
	}
	return s.SessionStore.Rotate(ctx, r)
}

type outageOfChallenges struct {
	store.ChallengeStore
	o *outage
}

func (s outageOfChallenges) Validate(ctx context.Context, address, nonce string) (bool, error) {
	if err := s.o.err(); err != nil {
		return false, err
	}
	return s.ChallengeStore.Validate(ctx, address, nonce)
}

func (o *outage) Schemes() []string { return []string{"outage"} }

func (o *outage) Open(_ context.Context, c store.BackendConfig) (*store.Stores, error) {
	return &store.Stores{
		Challenges: outageOfChallenges{store.NewMemoryChallenges(), o}, Sessions: outageOfSessions{store.NewInMemorySessionStore(), o},
	}, nil
}

func TestAnOutageIsCounted(t *testing.T) {
	o := &outage{}
	s := startServer(t, map[string]any{"session_storage_url": "outage:x", "challenge_storage_url": "outage:x"},
		serverauth.AsBackend(func() *outage { return o }))
	w := newWallet(t, "Ed25519")
	in, body := s.signIn(w), s.signInBody(w)
	o.lasts.Store(true)
	for range 3 {
		assert.Equal(t, 503, s.refresh(in.Refresh).status)
		assert.Equal(t, 503, s.post("/sign-in", body).status)
	}
	o.lasts.Store(false)
	assert.Equal(t, 200, s.refresh(in.Refresh).status)
	series := s.metrics()
	for name, want := range map[string]float64{
		`picoauth_store_errors_total{operation="rotate",store="sessions"}`:                                      3,
		`picoauth_store_errors_total{operation="validate",store="challenges"}`:                                  3,
		`picoauth_store_errors_total{operation="create",store="sessions"}`:                                      0,
		`picoauth_refreshes_total{outcome="temporarily_unavailable"}`:                                           3,
		`picoauth_sign_ins_total{algorithm="Ed25519",outcome="temporarily_unavailable"}`:                        3,
		`picoauth_refreshes_total{outcome="success"}`:                                                           1,
		`picoauth_store_operation_duration_seconds_count{operation="rotate",store="sessions"}`:                  4,
		`picoauth_http_request_duration_seconds_count{method="POST",route="/api/v1/auth/refresh",status="5xx"}`: 3,
	} {
		assert.Equal(t, want, series[name], name)
	}
}

func TestAClaimsProviderAddsNoLabels(t *testing.T) {
	answers := []error{
		fmt.Errorf("%w: alice", serverauth.ErrSubjectRefused), errors.New("alice"), context.Canceled, nil,
	}
	provider := claimsFunc(func(_ context.Context, subject store.Subject) (serverauth.Claims, error) {
		err := answers[0]
		answers = answers[1:]
		return serverauth.Claims{}, err
	})
	s := startServer(t, nil, testutil.WithClaimsProvider(provider))
	w := newWallet(t, "Ed25519")
	for range 4 {
		s.post("/sign-in", s.signInBody(w))
	}
	series := s.metrics()
	for outcome, want := range map[string]float64{"subject_refused": 1, "claims_provider": 2, "success": 1} {
		assert.Equal(t, want, series[`picoauth_sign_ins_total{algorithm="Ed25519",outcome="`+outcome+`"}`], outcome)
	}
}

// A store that the app puts in the place of one is not in the wrapper of one.
func TestAReplacedStoreIsNotMeasured(t *testing.T) {
	challenges, err := serverauth.NewInMemoryChallengeStore(serverauth.DefaultServerAuthSettings())
	require.NoError(t, err)
	var used store.ChallengeStore
	s := startServer(t, nil, testutil.WithChallengeStore(challenges), fx.Invoke(func(c store.ChallengeStore) { used = c }))
	s.signIn(newWallet(t, "Ed25519"))
	assert.Same(t, challenges, used)
	for name := range s.metrics() {
		assert.NotContains(t, name, `store="challenges"`)
	}
}

func TestMetricsInAPlainFxApp(t *testing.T) {
	config := koanf.New(".")
	require.NoError(t, config.Load(confmap.Provider(map[string]any{"server_auth.algorithm": "EdDSA"}, "."), nil))
	registry := prometheus.NewRegistry()
	e := echo.New()
	running := fxtest.New(t, fx.Supply(config, e), fx.Provide(discardLogger), serverauth.Module,
		fx.Provide(func() prometheus.Registerer { return prometheus.WrapRegistererWithPrefix("host_", registry) }))
	running.RequireStart()
	defer running.RequireStop()
	families, err := registry.Gather()
	require.NoError(t, err)
	name := regexp.MustCompile(`^host_picoauth_[a-z_]+$`)
	require.NotEmpty(t, families)
	for _, family := range families {
		assert.Regexp(t, name, family.GetName())
	}
	for _, route := range e.Routes() {
		assert.NotEqual(t, "/metrics", route.Path, "the host's own to serve")
	}
}

func TestInstrumentsAreRegisteredOnce(t *testing.T) {
	registry := prometheus.NewRegistry()
	_, err := serverauth.NewInstruments(registry)
	require.NoError(t, err)
	_, err = serverauth.NewInstruments(registry)
	assert.ErrorAs(t, err, &prometheus.AlreadyRegisteredError{})
	unregistered, err := serverauth.NewInstruments(nil)
	assert.NoError(t, err)
	assert.NotNil(t, unregistered)
}

// TestCountersBeginAtZero has a server that nobody has asked anything yet.
func TestCountersBeginAtZero(t *testing.T) {
	series, err := testutil.Scrape(t.Context(), testutil.NewApp(t, serverauth.Module).URL)
	require.NoError(t, err)
	for _, name := range []string{
		`picoauth_sign_ins_total{algorithm="eip191",outcome="success"}`, `picoauth_sign_ins_total{algorithm="ML-DSA-65",outcome="invalid_signature"}`,
		`picoauth_logins_total{outcome="invalid_credentials"}`, `picoauth_refreshes_total{outcome="success"}`,
		`picoauth_refreshes_total{outcome="refresh_reused"}`, `picoauth_tokens_issued_total{kind="wallet"}`,
		`picoauth_fleet_refusals_total{code="invalid_fleet_secret"}`, `picoauth_rate_limited_requests_total{endpoint="/sign-in"}`,
		`picoauth_overloaded_requests_total{endpoint="/sign-in"}`, "picoauth_audit_lost_mints_total",
	} {
		value, exists := series[name]
		assert.True(t, exists, name)
		assert.Zero(t, value, name)
	}
}
