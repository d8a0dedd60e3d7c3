package verify

import "time"

// Observer receives what validators, key sets and denylists do, for metrics; clientauth's Instruments implement it for
// Prometheus. Every request calls it: it must be fast, and safe for concurrent use.
type Observer interface {
	// Validated receives the error of a validation, or nil. [Code] returns its name.
	Validated(err error)
	// LookedUp receives whether a token was in the cache of verified tokens.
	LookedUp(hit bool)
	// FetchedKeys receives the error of a fetch, or nil.
	FetchedKeys(keys *RemoteKeySet, err error)
	// PolledDenylist receives the error of a fetch, or nil.
	PolledDenylist(denylist *RemoteDenylist, err error)
}

func observerOr(o Observer) Observer {
	if o == nil {
		return unobserved{}
	}
	return o
}

type unobserved struct{}

func (unobserved) Validated(error)                       {}
func (unobserved) LookedUp(bool)                         {}
func (unobserved) FetchedKeys(*RemoteKeySet, error)      {}
func (unobserved) PolledDenylist(*RemoteDenylist, error) {}

// clock returns the time. nil is the clock of the system.
type clock func() time.Time

// Now returns the time of the clock.
func (c clock) Now() time.Time {
	if c == nil {
		return time.Now()
	}
	return c()
}
