package loglimit

import (
	"sync"
	"time"
)

// logsPerSecond is the number of records of one cause that a Limit allows in a second.
const logsPerSecond = 10

// Limit limits the records of one cause to ten a second, so that a flood of requests does not flood the log. The zero value
// is ready to use, and safe for concurrent use.
type Limit struct {
	mu      sync.Mutex
	second  int64
	logged  int
	leftOut int64
}

// Allow reports whether to log now. leftOut is the number of records that were left out since the last one that was logged.
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

// Limits has a Limit for each cause. The number of causes must be limited, because none is ever removed. The zero value is
// ready to use, and safe for concurrent use.
type Limits struct{ causes sync.Map }

// Allow calls [Limit.Allow] of the limit of a cause.
func (l *Limits) Allow(cause string, now time.Time) (leftOut int64, ok bool) {
	limit, known := l.causes.Load(cause)
	if !known {
		limit, _ = l.causes.LoadOrStore(cause, new(Limit))
	}
	return limit.(*Limit).Allow(now) //nolint:errcheck // nothing else is stored
}
