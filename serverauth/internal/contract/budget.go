package contract

import (
	"fmt"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/ratelimit"
)

// clientsInAll is the limit of all clients together, as a multiple of the limit of one client.
const clientsInAll = 20

// The two halves of the limit of all clients together.
var (
	anybodys = ratelimit.Key{Holder: "anybody", Endpoint: "ethereum"}
	holders  = ratelimit.Key{Holder: "holders of a session", Endpoint: "ethereum"}
)

// LimitError means that a chain was not called because there were too many calls.
type LimitError struct {
	RetryAfter time.Duration
	Client     bool // the limit of this client is used up; false: that of all clients
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("contract: too many calls to chains, try again in %s", e.RetryAfter)
}

// budget limits the calls to chains.
type budget struct {
	client *ratelimit.Limiter
	halves *ratelimit.Limiter
}

func newBudget(perMinute int, now app.Clock) budget {
	return budget{client: ratelimit.New(perMinute, now), halves: ratelimit.New(perMinute*clientsInAll/2, now)}
}

// take counts a call of a client, or returns a *LimitError and counts nothing. holds reports whether the wallet has a live
// session; it is called only if the first half is used up.
func (b budget) take(client string, holds func() bool) error {
	own := ratelimit.Key{Client: ratelimit.Network(client), Endpoint: "ethereum"}
	if wait, ok := b.client.Allow(own); !ok {
		return &LimitError{RetryAfter: wait, Client: true}
	}
	wait, ok := b.halves.Allow(anybodys)
	if !ok && holds() {
		wait, ok = b.halves.Allow(holders)
	}
	if !ok {
		b.client.GiveBack(own)
		return &LimitError{RetryAfter: wait}
	}
	return nil
}
