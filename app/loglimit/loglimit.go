package loglimit

import (
	"sync"
	"time"
)

// logsPerSecond is how many records of one cause a Limit lets through.
const logsPerSecond = 10

// Limit bounds the records of one cause to ten a second, so that a flood of requests is no flood of records. The zero
// value is ready, and safe for concurrent use.
type Limit struct {
	mu      sync.Mutex
	second  int64
	logged  int
	leftOut int64
}

// Allow reports whether to log now, and how many records were left out since the last one that was logged.
func (l *Limit) Allow(now time.Time) (leftOut int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := now.Unix(); second != l.second {
		l.second, l.logged = second, 0
	}
	if l.logged == logsPerSecond {
		l.leftOut++
		return 0, false
	}
	l.logged++
	leftOut, l.leftOut = l.leftOut, 0
	return leftOut, true
}

// Limits are a Limit for each cause, of which there must be a fixed number. The zero value is ready, and safe for concurrent
// use.
type Limits struct{ causes sync.Map }

// Allow is [Limit.Allow] of the limit of a cause.
func (l *Limits) Allow(cause string, now time.Time) (leftOut int64, ok bool) {
	limit, known := l.causes.Load(cause)
	if !known {
		limit, _ = l.causes.LoadOrStore(cause, new(Limit))
	}
	return limit.(*Limit).Allow(now) //nolint:errcheck // nothing else is stored
}
