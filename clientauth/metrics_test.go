package clientauth_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// meter is a registry, and the instruments that count in it.
type meter struct {
	*prometheus.Registry
	*clientauth.Instruments
}

func newMeter(t testing.TB) meter {
	t.Helper()
	registry := prometheus.NewRegistry()
	return meter{registry, must(clientauth.NewInstruments(registry))}
}

// series returns the values of all series, each named as in `name{value of the label}`, or `name`.
func series(t testing.TB, metrics prometheus.Gatherer) map[string]float64 {
	t.Helper()
	all := make(map[string]float64)
	for _, family := range must(metrics.Gather()) {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += "{" + label.GetValue() + "}"
			}
			all[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return all
}

func (m meter) expect(t *testing.T, when string, want map[string]float64) {
	t.Helper()
	if got := series(t, m); !maps.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", when, got, want)
	}
}

func TestValidationsAreCounted(t *testing.T) {
	s, c := signers()[jose.RS256], newClock()
	m := newMeter(t)
	index := clientauth.NewRevocationIndex()
	index.Apply(clientauth.Revocation{JTI: "revoked"})
	cfg := trusting(c, s)
	cfg.Observer, cfg.Issuers[0].Denylist = m.Instruments, index
	v := newValidator(t, cfg)
	for _, token := range []string{
		s.Token(claims(nil)), s.Token(claims(nil)), // RS256 signs alike: the second is in the cache
		"x", "y.y.y", s.Token(claims(object{"exp": epoch.Unix() - 31})), s.Token(claims(object{"aud": "other"})),
		s.Token(claims(object{"iss": "https://evil.example"})), s.Token(claims(object{"nbf": epoch.Unix() + 31})),
		s.Token(claims(object{"jti": "revoked"})), s.Sign(s.Header(object{"typ": "rt+jwt"}), claims(nil)),
		s.Sign(s.Header(object{"kid": "other"}), claims(nil)), s.Sign(s.Header(object{"alg": "none"}), claims(nil)),
		s.Token(claims(nil))[:20] + "A" + s.Token(claims(nil))[21:], fresh(jose.ES256).Token(claims(nil)),
		s.Token(claims(nil)) + "AAAA",
	} {
		_, _ = v.Validate(context.Background(), token)
	}
	_, _ = v.ValidateAgent(context.Background(), s.Token(claims(nil)))
	got := series(t, m)
	lookups := got["picoauth_token_cache_lookups_total{hit}"] + got["picoauth_token_cache_lookups_total{miss}"]
	if lookups != 16 || got["picoauth_token_cache_lookups_total{hit}"] != 2 {
		t.Errorf("got %v", got)
	}
	judged, outcomes := 0.0, []string{}
	for name, n := range got {
		if outcome, ok := strings.CutPrefix(name, "picoauth_token_validations_total"); ok {
			judged += n
			outcomes = append(outcomes, outcome)
		}
	}
	slices.Sort(outcomes)
	want := "{expired} {invalid_signature} {malformed} {not_an_agent} {not_yet_valid} {revoked} {token_type} {unknown_issuer} " +
		"{unknown_key} {unsupported_algorithm} {valid} {wrong_audience}"
	if judged != 16 || strings.Join(outcomes, " ") != want || got["picoauth_token_validations_total{valid}"] != 2 {
		t.Errorf("%v judged: %v", judged, got)
	}
}

func TestWhatCannotBeJudgedIsCounted(t *testing.T) {
	s := signers()[jose.EdDSA]
	trouble := failing{errors.New("trouble")}
	tests := map[string]func(*clientauth.ValidatorConfig){
		"denylist_unavailable": func(c *clientauth.ValidatorConfig) { c.Issuers[0].Denylist = trouble },
		"keys_unavailable":     func(c *clientauth.ValidatorConfig) { c.Issuers[0].Keys = trouble },
		"roles_unavailable":    func(c *clientauth.ValidatorConfig) { c.Roles = trouble },
	}
	for outcome, change := range tests {
		m, cfg := newMeter(t), trusting(newClock(), s)
		cfg.Observer = m.Instruments
		change(&cfg)
		_, _ = newValidator(t, cfg).Validate(context.Background(), s.Token(claims(nil)))
		if got := series(t, m); got["picoauth_token_validations_total{"+outcome+"}"] != 1 || got["picoauth_token_validations_total{valid}"] != 0 {
			t.Errorf("%s: %v", outcome, got)
		}
	}
}

func TestFetchesAreCounted(t *testing.T) {
	none := map[string]float64{
		"picoauth_token_validations_total{valid}": 0, "picoauth_token_cache_lookups_total{hit}": 0, "picoauth_token_cache_lookups_total{miss}": 0,
	}
	with := func(changes map[string]float64) map[string]float64 {
		all := maps.Clone(none)
		maps.Copy(all, changes)
		return all
	}
	t.Run("keys", func(t *testing.T) {
		m := newMeter(t)
		server, clock := newServer(t, serveKeys([]signer{signers()[jose.EdDSA]})), newClock()
		set := must(clientauth.NewRemoteKeySet(clientauth.RemoteKeySetConfig{URL: server.URL, Clock: clock.Now, Logger: quiet, Observer: m}))
		m.expect(t, "before the first fetch", none)
		_ = set.Refresh(context.Background())
		clock.Move(42 * time.Second)
		want := with(map[string]float64{"picoauth_jwks_fetches_total{success}": 1, "picoauth_jwks_age_seconds": 42})
		m.expect(t, "fetched", want)
		server.Become(serveStatus(http.StatusBadGateway))
		_ = set.Refresh(context.Background())
		want["picoauth_jwks_fetches_total{failure}"] = 1
		m.expect(t, "failed", want)
	})
	t.Run("denylist", func(t *testing.T) {
		m, l := newMeter(t), &list{}
		l.revoke(clientauth.Revocation{JTI: "a"})
		server, clock := newServer(t, l.serve), newClock()
		remote := must(clientauth.NewRemoteDenylist(clientauth.RemoteDenylistConfig{URL: server.URL, Clock: clock.Now, Logger: quiet, Observer: m}))
		if !must(remote.Denied(context.Background(), clientauth.TokenRef{ID: "a"})) {
			t.Error("a revoked token is not denied")
		}
		clock.Move(3 * time.Second)
		want := with(map[string]float64{
			"picoauth_remote_denylist_polls_total{success}": 1, "picoauth_remote_denylist_age_seconds": 3, "picoauth_remote_denylist_entries": 1,
		})
		m.expect(t, "polled", want)
		server.Become(serveStatus(http.StatusBadGateway))
		_ = remote.Refresh(context.Background())
		want["picoauth_remote_denylist_polls_total{failure}"] = 1
		m.expect(t, "failed", want)
	})
}

func TestModuleCountsInTheRegistryOfTheHost(t *testing.T) {
	s := signers()[jose.RS256]
	jwks := newServer(t, serveKeys([]signer{s}))
	section := map[string]any{"issuer": issuerName, "audience": audience, "jwks_url": jwks.URL}
	registry := prometheus.NewRegistry()
	for name, option := range map[string]fx.Option{
		"registry":   fx.Supply(registry),
		"registerer": fx.Provide(func() prometheus.Registerer { return prometheus.WrapRegistererWithPrefix("x_", registry) }),
		"none":       fx.Options(),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(newClock(), section, option)
			startHost(t, h)
			if w := h.me(s.Token(claims(nil))); w.Code != 200 {
				t.Error(w.Code, w.Body)
			}
		})
	}
	got := series(t, registry)
	if got["picoauth_token_validations_total{valid}"] != 1 || got["x_picoauth_token_validations_total{valid}"] != 1 {
		t.Errorf("got %v", got)
	}
	if h := newHost(newClock(), section, fx.Supply(registry)); h.Err() == nil {
		t.Error("two apps count in one series")
	}
}
