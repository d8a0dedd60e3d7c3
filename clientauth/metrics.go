package clientauth

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/picoauth/picoauth/clientauth/verify"
)

// Instruments are a [verify.Observer] with Prometheus metrics of token validation, and of the fetches of keys and denylists from
// remote issuers:
//
//	picoauth_token_validations_total{outcome}        valid, or the code of the error
//	picoauth_token_cache_lookups_total{result}       hit or miss
//	picoauth_jwks_fetches_total{outcome}             success or failure
//	picoauth_jwks_age_seconds                        since the keys in use were fetched
//	picoauth_remote_denylist_polls_total{outcome}    success or failure
//	picoauth_remote_denylist_age_seconds             since the denylist in use was up to date
//	picoauth_remote_denylist_entries
//
// With several issuers the ages are those of the oldest, and the entries are the sum. There are none before the first
// successful fetch.
type Instruments struct {
	validations, lookups, keyFetches, polls *prometheus.CounterVec
	valid, hits, misses                     prometheus.Counter // of the above, looked up once because most requests count in them
	keysAge, denylistAge, denylistEntries   *prometheus.Desc

	mu        sync.Mutex
	keySets   map[*RemoteKeySet]struct{} // with a fetch, successful or not
	denylists map[*RemoteDenylist]struct{}
}

// NewInstruments registers the metrics. With a nil registerer they are not registered.
func NewInstruments(metrics prometheus.Registerer) (*Instruments, error) {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	i := &Instruments{
		keySets:   map[*RemoteKeySet]struct{}{},
		denylists: map[*RemoteDenylist]struct{}{},

		validations: counter("picoauth_token_validations_total", "Access tokens that were checked, by outcome.", "outcome"),
		lookups:     counter("picoauth_token_cache_lookups_total", "Lookups in the cache of verified tokens, by result.", "result"),
		keyFetches:  counter("picoauth_jwks_fetches_total", "Fetches of issuers' keys, by outcome.", "outcome"),
		polls:       counter("picoauth_remote_denylist_polls_total", "Fetches of issuers' denylists, by outcome.", "outcome"),

		keysAge:         prometheus.NewDesc("picoauth_jwks_age_seconds", "Time since the oldest key set in use was fetched.", nil, nil),
		denylistAge:     prometheus.NewDesc("picoauth_remote_denylist_age_seconds", "Time since the oldest denylist in use was up to date.", nil, nil),
		denylistEntries: prometheus.NewDesc("picoauth_remote_denylist_entries", "Entries of the denylists in use.", nil, nil),
	}
	i.valid = i.validations.WithLabelValues("valid")
	i.hits, i.misses = i.lookups.WithLabelValues("hit"), i.lookups.WithLabelValues("miss")
	if metrics == nil {
		return i, nil
	}
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
	for keys := range i.keySets {
		if age, fetched := keys.Age(); fetched {
			keysAge = max(keysAge, age)
		}
	}
	for denylist := range i.denylists {
		if age, fetched := denylist.Age(); fetched {
			denylistAge = max(denylistAge, age)
		}
		entries += denylist.Len()
	}
	if keysAge >= 0 {
		to <- prometheus.MustNewConstMetric(i.keysAge, prometheus.GaugeValue, keysAge.Seconds())
	}
	if denylistAge >= 0 {
		to <- prometheus.MustNewConstMetric(i.denylistAge, prometheus.GaugeValue, denylistAge.Seconds())
		to <- prometheus.MustNewConstMetric(i.denylistEntries, prometheus.GaugeValue, float64(entries))
	}
}

// Validated implements [verify.Observer].
func (i *Instruments) Validated(err error) {
	if err == nil {
		i.valid.Inc()
		return
	}
	i.validations.WithLabelValues(verify.Code(err)).Inc()
}

// LookedUp implements [verify.Observer].
func (i *Instruments) LookedUp(hit bool) {
	if hit {
		i.hits.Inc()
		return
	}
	i.misses.Inc()
}

// FetchedKeys implements [verify.Observer].
func (i *Instruments) FetchedKeys(keys *RemoteKeySet, err error) {
	i.keyFetches.WithLabelValues(fetchResult(err)).Inc()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keySets[keys] = struct{}{}
}

// PolledDenylist implements [verify.Observer].
func (i *Instruments) PolledDenylist(denylist *RemoteDenylist, err error) {
	i.polls.WithLabelValues(fetchResult(err)).Inc()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.denylists[denylist] = struct{}{}
}

func fetchResult(err error) string {
	if err != nil {
		return "failure"
	}
	return "success"
}
