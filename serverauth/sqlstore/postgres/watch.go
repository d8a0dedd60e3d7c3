package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// reconnectPause is the time between two attempts to listen again.
const reconnectPause = time.Second

// watcher listens for revocations on its own connection.
type watcher struct {
	config *pgx.ConnConfig
	closed context.Context // ends with close
	end    context.CancelFunc

	mu     sync.Mutex // only one caller watches at a time
	conn   *pgx.Conn
	failed time.Time
}

func newWatcher(config *pgx.ConnConfig) *watcher {
	closed, end := context.WithCancel(context.Background())
	return &watcher{config: config, closed: closed, end: end}
}

// watch is Stores.Watch. Announcements between two calls are not lost, because the connection keeps listening.
func (w *watcher) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.closed, cancel)()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return w.listen(ctx) // something may have been committed before
	}
	if _, err := w.conn.WaitForNotification(ctx); err != nil {
		if ctx.Err() != nil && !w.conn.IsClosed() {
			return ctx.Err()
		}
		w.drop()
		return fmt.Errorf("postgres: waiting for revocations: %w", err)
	}
	return nil
}

// listen connects, after a pause if the last attempt failed a moment ago.
func (w *watcher) listen(ctx context.Context) error {
	select {
	case <-time.After(time.Until(w.failed.Add(reconnectPause))):
	case <-ctx.Done():
		return ctx.Err()
	}
	conn, err := pgx.ConnectConfig(ctx, w.config)
	if err == nil {
		w.conn = conn
		_, err = conn.Exec(ctx, "LISTEN "+channel)
	}
	if err != nil {
		w.drop()
		return fmt.Errorf("postgres: listening for revocations: %w", err)
	}
	return nil
}

func (w *watcher) drop() {
	w.failed = time.Now()
	if w.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), reconnectPause)
	defer cancel()
	_ = w.conn.Close(ctx) // it is not used again
	w.conn = nil
}

// close closes the connection and makes a running watch return.
func (w *watcher) close() error {
	w.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop()
	return nil
}
