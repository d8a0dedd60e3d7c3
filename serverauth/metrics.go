package serverauth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/internal/contract"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Instruments count what the issuer does:
//
//	picoauth_sign_ins_total{algorithm,outcome}
//	picoauth_logins_total{outcome}
//	picoauth_refreshes_total{outcome}                              refresh_reused: a token was stolen
//	picoauth_tokens_issued_total{kind}                             wallet, admin, fleet or other
//	picoauth_fleet_refusals_total{code}
//	picoauth_rate_limited_requests_total{endpoint}
//	picoauth_overloaded_requests_total{endpoint}                   refused because too many were in progress
//	picoauth_ethereum_calls_total{chain,outcome}                   accepted, refused, unavailable; client_limited, all_limited: not called
//	picoauth_store_operation_duration_seconds{store,operation}
//	picoauth_store_errors_total{store,operation}
//
// An outcome is "success" or the code of the problem in the reply; "claims_provider" for an error of the app's own ClaimsProvider,
// and "canceled" if the client disconnected. The module adds metrics that are read at each scrape:
//
//	picoauth_costly_requests                                       CPU-intensive requests in progress, such as sign-ins
//	picoauth_denylist_entries
//	picoauth_denylist_age_seconds                                  since the store was read; above 15 all tokens are refused
//	picoauth_signing_keys{algorithm,state}
//	picoauth_signing_key_age_seconds{algorithm,state}              time in this state, of the oldest key
//	picoauth_audit_pending_mints                                   not yet written to the store
//	picoauth_audit_broken                                          1: the audit was tampered with
//	picoauth_audit_lost_mints_total                                not recorded because the queue was full
//
// No label contains a value that a client chose.
type Instruments struct {
	signIns, logins, refreshes, tokens, fleetRefusals, rateLimited, overloads, chains *prometheus.CounterVec
	storeTimes                                                                        *prometheus.HistogramVec
	storeErrors                                                                       *prometheus.CounterVec
	storeSeries                                                                       app.Memo[string, storeSeries] // by store.operation
}

// NewInstruments registers the metrics. With a nil registerer they are not registered.
func NewInstruments(metrics prometheus.Registerer) (*Instruments, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	i := &Instruments{
		signIns:       counter("picoauth_sign_ins_total", "Wallet sign-ins.", "algorithm", "outcome"),
		logins:        counter("picoauth_logins_total", "Password logins.", "outcome"),
		refreshes:     counter("picoauth_refreshes_total", "Refreshes of sessions.", "outcome"),
		tokens:        counter("picoauth_tokens_issued_total", "Access tokens issued.", "kind"),
		fleetRefusals: counter("picoauth_fleet_refusals_total", "Refused requests that need the fleet secret.", "code"),
		rateLimited:   counter("picoauth_rate_limited_requests_total", "Requests refused by the rate limit.", "endpoint"),
		overloads:     counter("picoauth_overloaded_requests_total", "Requests refused because too many were in progress.", "endpoint"),
		chains:        counter("picoauth_ethereum_calls_total", "Calls to chains about contract wallets.", "chain", "outcome"),
		storeErrors:   counter("picoauth_store_errors_total", "Failed operations of stores.", "store", "operation"),
		storeTimes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "picoauth_store_operation_duration_seconds", Help: "Duration of operations of stores, including failed ones.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"store", "operation"}),
	}
	i.beginAtZero()
	if metrics == nil {
		return i, nil
	}
	for _, c := range []prometheus.Collector{
		i.signIns, i.logins, i.refreshes, i.tokens, i.fleetRefusals, i.rateLimited, i.overloads, i.chains, i.storeErrors, i.storeTimes,
	} {
		if err := metrics.Register(c); err != nil {
			return nil, fmt.Errorf("serverauth: register metrics: %w", err)
		}
	}
	return i, nil
}

// beginAtZero creates the series that every server has, with value 0: a rate or an alert sees the first increase only if the
// series existed before.
func (i *Instruments) beginAtZero() {
	for counter, values := range map[*prometheus.CounterVec][]string{
		i.logins:        {outcomeOf(nil), "invalid_credentials"},
		i.refreshes:     {outcomeOf(nil), refreshReused.Code, "refresh_invalid", "refresh_expired", "subject_refused"},
		i.tokens:        {store.KindWallet, store.KindAdmin, store.KindFleet},
		i.fleetRefusals: {"invalid_fleet_secret"},
		i.overloads:     {"/sign-in", "/refresh", "/wallets", fleetSessions},
		i.rateLimited:   {"/challenge", "/sign-in", "/login", "/refresh", "/logout", "/wallets", fleetSessions},
	} {
		for _, value := range values {
			counter.WithLabelValues(value)
		}
	}
}

// expect creates the series of sign-ins with the allowed algorithms.
func (i *Instruments) expect(algorithms []string) {
	for _, algorithm := range algorithms {
		for _, outcome := range []string{outcomeOf(nil), "invalid_challenge", "invalid_signature", "subject_refused"} {
			i.signIns.WithLabelValues(algorithm, outcome)
		}
	}
}

// signedIn counts a sign-in with one of the allowed algorithms.
func (i *Instruments) signedIn(allowed *WalletVerifier, algorithm string, err error) {
	if _, unknown := allowed.Scheme(algorithm); unknown != nil {
		algorithm = "other"
	}
	i.signIns.WithLabelValues(algorithm, outcomeOf(err)).Inc()
}

func (i *Instruments) loggedIn(err error) { i.logins.WithLabelValues(outcomeOf(err)).Inc() }

func (i *Instruments) refreshed(err error) { i.refreshes.WithLabelValues(outcomeOf(err)).Inc() }

func (i *Instruments) issued(kind string) {
	if !slices.Contains([]string{store.KindWallet, store.KindAdmin, store.KindFleet}, kind) {
		kind = "other"
	}
	i.tokens.WithLabelValues(kind).Inc()
}

func (i *Instruments) refusedFleet(err error) {
	if problem := problemOf(err); problem != nil {
		i.fleetRefusals.WithLabelValues(problem.Code).Inc()
	}
}

func (i *Instruments) limited(endpoint string) { i.rateLimited.WithLabelValues(endpoint).Inc() }

func (i *Instruments) overloaded(endpoint string) { i.overloads.WithLabelValues(endpoint).Inc() }

// expectChain creates the series of calls to a chain.
func (i *Instruments) expectChain(chain string) {
	for _, outcome := range []string{contract.Accepted, contract.Refused, contract.Unavailable, contract.ClientLimited, contract.AllLimited} {
		i.chains.WithLabelValues(chain, outcome)
	}
}

// askedChain counts a call about a contract wallet of a configured chain.
func (i *Instruments) askedChain(chain, outcome string) {
	i.chains.WithLabelValues(chain, outcome).Inc()
}

// outcomeOf returns the label for the result of a flow. All problems of the app's own ClaimsProvider get the same label, because
// their codes may be any text.
func outcomeOf(err error) string {
	switch {
	case err == nil:
		return "success"
	case errors.Is(err, claims.ErrSubjectRefused):
		return errSubjectRefused.Code
	case errors.Is(err, session.ErrClaimsProvider):
		return "claims_provider"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	if problem := problemOf(err); problem != nil {
		return problem.Code
	}
	return unavailable().Code
}
