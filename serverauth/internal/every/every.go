// Package every repeats the background work of a server.
package every

import (
	"context"
	"time"
)

// Interval calls work once per interval until ctx ends, the first time after one interval. Calls do not overlap.
func Interval(ctx context.Context, interval time.Duration, work func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			work()
		}
	}
}
