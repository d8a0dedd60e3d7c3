package verify

import "time"

// Observer is told what validators, key sets and denylists do, so that a program can count it; clientauth's Instruments
// are one, for Prometheus. It is called by every request: it must be quick, and safe for concurrent use.
type Observer interface {
	// Validated gets the error of a validation, or nil; [Code] names it.
	Validated(err error)
	// LookedUp says whether a token was in the cache of verified tokens.
	LookedUp(hit bool)
	// FetchedKeys gets the error of a fetch, or nil.
	FetchedKeys(keys *RemoteKeySet, err error)
	// PolledDenylist gets the error of a fetch, or nil.
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

// clock tells the time: the system's when it is nil.
type clock func() time.Time

// Now returns the clock's time.
func (c clock) Now() time.Time {
	if c == nil {
		return time.Now()
	}
	return c()
}
