package sqlite

import (
	"context"
	"errors"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// retryPause is how long a writer waits before it tries again to lock the file, when another process is writing: about the time of
// a commit. SQLite itself retries every 100 ms, so a busy process can block it for many seconds.
const retryPause = time.Millisecond

// patiently repeats a call until no other process holds the lock. An attempt that was refused has changed nothing.
func patiently(ctx context.Context, call func() error) error {
	for {
		err := call()
		var refused *sqlite.Error
		if !errors.As(err, &refused) || refused.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return err
		}
	}
}
