package serverauth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/picoauth/picoauth/app"
)

// Instruments count what the issuer does:
//
//	picoauth_sign_ins_total{algorithm,outcome}
//	picoauth_logins_total{outcome}
//	picoauth_refreshes_total{outcome}                              refresh_reused: somebody has a stolen token
//	picoauth_tokens_issued_total{kind}                             wallet, admin, fleet or other
//	picoauth_fleet_refusals_total{code}
//	picoauth_rate_limited_requests_total{endpoint}
//	picoauth_store_operation_duration_seconds{store,operation}
//	picoauth_store_errors_total{store,operation}
//
// An outcome is "success" or the code of the problem that was answered. The module adds what it finds at each scrape:
//
//	picoauth_denylist_entries
//	picoauth_denylist_age_seconds                                  since the store was read; above 15 nobody is let in
//	picoauth_signing_keys{algorithm,state}
//	picoauth_signing_key_age_seconds{algorithm,state}              of the oldest; of an active one, since it signs
//	picoauth_audit_pending_mints                                   that wait for the store
//	picoauth_audit_lost_mints_total                                for which there was no room
//
// No label holds what a client chose. nil counts nothing.
type Instruments struct {
	signIns, logins, refreshes, tokens, fleetRefusals, rateLimited *prometheus.CounterVec
	storeTimes                                                     *prometheus.HistogramVec
	storeErrors                                                    *prometheus.CounterVec
	storeSeries                                                    app.Memo[string, storeSeries] // by store.operation
}

// NewInstruments registers the metrics. It returns nil for a nil registerer.
func NewInstruments(metrics prometheus.Registerer) (*Instruments, error) {
	if metrics == nil {
		return nil, nil
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	i := &Instruments{
		signIns:       counter("picoauth_sign_ins_total", "Wallet sign-ins.", "algorithm", "outcome"),
		logins:        counter("picoauth_logins_total", "Password logins.", "outcome"),
		refreshes:     counter("picoauth_refreshes_total", "Refreshes of sessions.", "outcome"),
		tokens:        counter("picoauth_tokens_issued_total", "Access tokens issued.", "kind"),
		fleetRefusals: counter("picoauth_fleet_refusals_total", "Refused requests for which there is a fleet secret.", "code"),
		rateLimited:   counter("picoauth_rate_limited_requests_total", "Requests of clients that ask too often.", "endpoint"),
		storeErrors:   counter("picoauth_store_errors_total", "Operations of stores that failed.", "store", "operation"),
		storeTimes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "picoauth_store_operation_duration_seconds", Help: "Time of operations of stores, failed ones included.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"store", "operation"}),
	}
	// An alert watches for its first increase, which it sees only of a series that was there before.
	i.refreshes.WithLabelValues(errRefreshReused.Code)
	for _, c := range []prometheus.Collector{
		i.signIns, i.logins, i.refreshes, i.tokens, i.fleetRefusals, i.rateLimited, i.storeErrors, i.storeTimes,
	} {
		if err := metrics.Register(c); err != nil {
			return nil, fmt.Errorf("serverauth: register metrics: %w", err)
		}
	}
	return i, nil
}

// signedIn counts a sign-in by one of the allowed algorithms.
func (i *Instruments) signedIn(allowed *WalletVerifier, algorithm string, err error) {
	if i == nil {
		return
	}
	if _, unknown := allowed.Scheme(algorithm); unknown != nil {
		algorithm = "other"
	}
	i.signIns.WithLabelValues(algorithm, outcomeOf(err)).Inc()
}

func (i *Instruments) loggedIn(err error) {
	if i != nil {
		i.logins.WithLabelValues(outcomeOf(err)).Inc()
	}
}

func (i *Instruments) refreshed(err error) {
	if i != nil {
		i.refreshes.WithLabelValues(outcomeOf(err)).Inc()
	}
}

func (i *Instruments) issued(kind string) {
	if i == nil {
		return
	}
	if !slices.Contains([]string{KindWallet, KindAdmin, KindFleet}, kind) {
		kind = "other"
	}
	i.tokens.WithLabelValues(kind).Inc()
}

func (i *Instruments) refusedFleet(err error) {
	if problem := problemOf(err); i != nil && problem != nil {
		i.fleetRefusals.WithLabelValues(problem.Code).Inc()
	}
}

func (i *Instruments) limited(endpoint string) {
	if i != nil {
		i.rateLimited.WithLabelValues(endpoint).Inc()
	}
}

// outcomeOf is a label for the end of a flow. A problem of the app's own ClaimsProvider is not told apart: its code may be
// any text.
func outcomeOf(err error) string {
	switch {
	case err == nil:
		return "success"
	case errors.Is(err, ErrSubjectRefused):
		return errSubjectRefused.Code
	case errors.Is(err, errClaimsProvider):
		return "claims_provider"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	if problem := problemOf(err); problem != nil {
		return problem.Code
	}
	return unavailable().Code
}
