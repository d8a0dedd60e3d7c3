package redisstore

import (
	"context"
	"net"
	"time"
)

// NewWithDialer returns a backend whose connections a test opens. A heartbeat of 0 is the usual one.
func NewWithDialer(dial func(ctx context.Context, network, address string) (net.Conn, error), beat time.Duration) *Backend {
	if beat == 0 {
		beat = heartbeat
	}
	return &Backend{dial: dial, heartbeat: beat}
}

// EndBatch is how many sessions EndSubject ends in one step.
const EndBatch = endBatch

// PruneBatch is how many sids of the list Prune looks at.
const PruneBatch = pruneBatch
