package sqlite

import (
	"context"
	"errors"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// retryPause is how long a writer waits until it asks for the file again that another process writes to: about a
// commit. SQLite's own patience asks every 100 ms, which a busy process lets come to nothing for many seconds.
const retryPause = time.Millisecond

// patiently makes a call again until no other process is in its way. What was refused for that has changed nothing.
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
