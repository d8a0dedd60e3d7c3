package serverauth

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/revocation"
)

var (
	costlyDesc          = stateDesc("picoauth_costly_requests", "Sign-ins, refreshes and fleet sessions in progress or waiting.")
	denylistEntriesDesc = stateDesc("picoauth_denylist_entries", "Entries of the denylist in this process.")
	denylistAgeDesc     = stateDesc("picoauth_denylist_age_seconds", "Time since the denylist was read from its store.")
	keysDesc            = stateDesc("picoauth_signing_keys", "Signing keys.", "algorithm", "state")
	keyAgeDesc          = stateDesc("picoauth_signing_key_age_seconds", "Time since the oldest signing key in this state entered it.", "algorithm", "state")
	auditPendingDesc    = stateDesc("picoauth_audit_pending_mints", "Mints that wait to be written to the audit.")
	auditBrokenDesc     = stateDesc("picoauth_audit_broken", "1 if the mint audit was found to be tampered with.")
	auditLostDesc       = stateDesc("picoauth_audit_lost_mints_total", "Mints that were not recorded because the queue was full: a gap in the audit.")
)

func stateDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// stateCollector collects the state of the server's parts at each scrape.
type stateCollector struct {
	admission *admission
	denylist  *revocation.Denylist
	ring      *keys.Ring
	audit     *audit.Recorder
	now       app.Clock
}

// Describe implements prometheus.Collector.
func (s stateCollector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		costlyDesc, denylistEntriesDesc, denylistAgeDesc, keysDesc, keyAgeDesc, auditPendingDesc, auditBrokenDesc, auditLostDesc,
	} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (s stateCollector) Collect(to chan<- prometheus.Metric) {
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, kind, value, labels...)
	}
	send(costlyDesc, prometheus.GaugeValue, float64(len(s.admission.seats)))
	send(denylistEntriesDesc, prometheus.GaugeValue, float64(s.denylist.Len()))
	if age, synced := s.denylist.Age(); synced {
		send(denylistAgeDesc, prometheus.GaugeValue, age.Seconds())
	}
	pending, lost := s.audit.Counts()
	send(auditPendingDesc, prometheus.GaugeValue, float64(pending))
	broken := 0.0
	if s.audit.Broken() {
		broken = 1
	}
	send(auditBrokenDesc, prometheus.GaugeValue, broken)
	send(auditLostDesc, prometheus.CounterValue, float64(lost))
	for algorithm, states := range s.keyStates() {
		for state, found := range states {
			send(keysDesc, prometheus.GaugeValue, float64(found.count), algorithm, string(state))
			if found.count > 0 {
				send(keyAgeDesc, prometheus.GaugeValue, found.oldest.Seconds(), algorithm, string(state))
			}
		}
	}
}

type keyState struct {
	count  int
	oldest time.Duration
}

// keyStates returns the states pending, active and retired of each algorithm that has a key. A state without a key has count 0.
func (s stateCollector) keyStates() map[string]map[keys.State]keyState {
	now, all := s.now(), make(map[string]map[keys.State]keyState)
	for _, key := range s.ring.List() {
		states := all[key.Algorithm]
		if states == nil {
			states = map[keys.State]keyState{keys.StatePending: {}, keys.StateActive: {}, keys.StateRetired: {}}
			all[key.Algorithm] = states
		}
		since := key.CreatedAt
		switch key.State {
		case keys.StateActive:
			since = key.ActivatesAt
		case keys.StateRetired:
			since = key.RetiresAt
		case keys.StateRemoved:
			continue
		}
		states[key.State] = keyState{states[key.State].count + 1, max(states[key.State].oldest, now.Sub(since))}
	}
	return all
}
