package contract

import (
	"fmt"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/ratelimit"
)

// clientsInAll is how many clients may use up what is theirs at the same time.
const clientsInAll = 20

// The halves of what all clients together may ask.
var (
	anybodys = ratelimit.Key{Holder: "anybody", Endpoint: "ethereum"}
	holders  = ratelimit.Key{Holder: "holders of a session", Endpoint: "ethereum"}
)

// LimitError means that a question was not asked, since there were too many.
type LimitError struct {
	RetryAfter time.Duration
	Client     bool // of this client; else of all
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("contract: too many calls, again in %s", e.RetryAfter)
}

// budget is how often chains are asked.
type budget struct {
	client *ratelimit.Limiter
	halves *ratelimit.Limiter
}

func newBudget(perMinute int, now app.Clock) budget {
	return budget{client: ratelimit.New(perMinute, now), halves: ratelimit.New(perMinute*clientsInAll/2, now)}
}

// take takes a call of a client, or returns a *LimitError and takes nothing. holds tells whether the wallet has a live
// session; it is asked only where that matters.
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
