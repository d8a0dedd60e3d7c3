package clientauth

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Instruments count what validators do, and the fetches of keys and denylists from issuers elsewhere:
//
//	picoauth_token_validations_total{outcome}        valid, or the code of the reason why not
//	picoauth_token_cache_lookups_total{result}       hit or miss
//	picoauth_jwks_fetches_total{outcome}             success or failure
//	picoauth_jwks_age_seconds                        since the keys in use were fetched
//	picoauth_remote_denylist_polls_total{outcome}    success or failure
//	picoauth_remote_denylist_age_seconds             since the denylist in use was up to date
//	picoauth_remote_denylist_entries
//
// Of several issuers the ages are those of the oldest, and the entries their sum; there are none before the first fetch.
// nil counts nothing.
type Instruments struct {
	validations, lookups, keyFetches, polls *prometheus.CounterVec
	valid, hits, misses                     prometheus.Counter // of the above; every request counts in them
	keysAge, denylistAge, denylistEntries   *prometheus.Desc

	mu        sync.Mutex
	keySets   []*RemoteKeySet
	denylists []*RemoteDenylist
}

// NewInstruments registers the metrics. It returns nil for a nil registerer.
func NewInstruments(metrics prometheus.Registerer) (*Instruments, error) {
	if metrics == nil {
		return nil, nil
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	i := &Instruments{
		validations: counter("picoauth_token_validations_total", "Access tokens that were judged, by outcome.", "outcome"),
		lookups:     counter("picoauth_token_cache_lookups_total", "Lookups in the cache of verified tokens, by result.", "result"),
		keyFetches:  counter("picoauth_jwks_fetches_total", "Fetches of issuers' keys, by outcome.", "outcome"),
		polls:       counter("picoauth_remote_denylist_polls_total", "Fetches of issuers' denylists, by outcome.", "outcome"),

		keysAge:         prometheus.NewDesc("picoauth_jwks_age_seconds", "Time since the oldest key set in use was fetched.", nil, nil),
		denylistAge:     prometheus.NewDesc("picoauth_remote_denylist_age_seconds", "Time since the oldest denylist in use was up to date.", nil, nil),
		denylistEntries: prometheus.NewDesc("picoauth_remote_denylist_entries", "Entries of the denylists in use.", nil, nil),
	}
	i.valid = i.validations.WithLabelValues("valid")
	i.hits, i.misses = i.lookups.WithLabelValues("hit"), i.lookups.WithLabelValues("miss")
	if err := metrics.Register(i); err != nil {
		return nil, fmt.Errorf("clientauth: register metrics: %w", err)
	}
	return i, nil
}

// Describe implements prometheus.Collector.
func (i *Instruments) Describe(to chan<- *prometheus.Desc) {
	for _, counters := range i.counters() {
		counters.Describe(to)
	}
	to <- i.keysAge
	to <- i.denylistAge
	to <- i.denylistEntries
}

func (i *Instruments) counters() []*prometheus.CounterVec {
	return []*prometheus.CounterVec{i.validations, i.lookups, i.keyFetches, i.polls}
}

// Collect implements prometheus.Collector.
func (i *Instruments) Collect(to chan<- prometheus.Metric) {
	for _, counters := range i.counters() {
		counters.Collect(to)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	keysAge, denylistAge, entries := time.Duration(-1), time.Duration(-1), 0
	for _, keys := range i.keySets {
		if snapshot := keys.current.Load(); snapshot != nil {
			keysAge = max(keysAge, snapshot.age(keys.clock.Now()))
		}
	}
	for _, denylist := range i.denylists {
		denylistAge = max(denylistAge, denylist.age(denylist.clock.Now()))
		entries += denylist.index.Len()
	}
	if keysAge >= 0 {
		to <- prometheus.MustNewConstMetric(i.keysAge, prometheus.GaugeValue, keysAge.Seconds())
	}
	if denylistAge >= 0 {
		to <- prometheus.MustNewConstMetric(i.denylistAge, prometheus.GaugeValue, denylistAge.Seconds())
		to <- prometheus.MustNewConstMetric(i.denylistEntries, prometheus.GaugeValue, float64(entries))
	}
}

func (i *Instruments) watchKeys(s *RemoteKeySet) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keySets = append(i.keySets, s)
}

func (i *Instruments) watchDenylist(d *RemoteDenylist) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.denylists = append(i.denylists, d)
}

func (i *Instruments) validated(err error) {
	switch {
	case i == nil:
	case err == nil:
		i.valid.Inc()
	default:
		i.validations.WithLabelValues(codeOf(err)).Inc()
	}
}

func (i *Instruments) lookedUp(found bool) {
	switch {
	case i == nil:
	case found:
		i.hits.Inc()
	default:
		i.misses.Inc()
	}
}

func (i *Instruments) fetchedKeys(err error) {
	if i != nil {
		i.keyFetches.WithLabelValues(fetchResult(err)).Inc()
	}
}

func (i *Instruments) polledDenylist(err error) {
	if i != nil {
		i.polls.WithLabelValues(fetchResult(err)).Inc()
	}
}

func fetchResult(err error) string {
	if err != nil {
		return "failure"
	}
	return "success"
}
