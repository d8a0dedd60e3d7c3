package sqlcore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// How long a call waits for the database at most. What reads much, or changes many rows, may take longer if the
// database is known to answer.
const (
	quickTimeout = 5 * time.Second
	slowTimeout  = 30 * time.Second
	readyTimeout = 2 * time.Second
)

// readyRoom is the size of a change that is tried, in bytes.
const readyRoom = 64 << 10

// database bounds the calls of an Engine and knows whether the last change succeeded.
type database struct {
	engine  Engine
	failing atomic.Bool
}

// run runs a script.
func (d *database) run(ctx context.Context, script ...Statement) error {
	return d.change(ctx, quickTimeout, func(ctx context.Context) error { return d.engine.Run(ctx, script...) })
}

// runSlow runs a script that may change many rows.
func (d *database) runSlow(ctx context.Context, script ...Statement) error {
	return d.slowly(ctx, func(ctx context.Context) error { return d.engine.Run(ctx, script...) })
}

// exclusively runs a transaction under a lock that others may hold for a while.
func (d *database) exclusively(ctx context.Context, lock string, do func(tx Tx) error) error {
	return d.slowly(ctx, func(ctx context.Context) error { return d.engine.Exclusively(ctx, lock, do) })
}

func (d *database) slowly(ctx context.Context, call func(context.Context) error) error {
	if err := d.read(ctx, ping()); err != nil {
		return err
	}
	return d.change(ctx, slowTimeout, call)
}

// read runs statements that change nothing.
func (d *database) read(ctx context.Context, script ...Statement) error {
	return bounded(ctx, quickTimeout, func(ctx context.Context) error { return d.engine.Read(ctx, script...) })
}

// readSlow runs statements that may return many rows.
func (d *database) readSlow(ctx context.Context, script ...Statement) error {
	if err := d.read(ctx, ping()); err != nil {
		return err
	}
	return bounded(ctx, slowTimeout, func(ctx context.Context) error { return d.engine.Read(ctx, script...) })
}

func (d *database) change(ctx context.Context, timeout time.Duration, call func(context.Context) error) error {
	err := bounded(ctx, timeout, call)
	if err == nil || ctx.Err() == nil { // a caller who went away says nothing about the database
		d.failing.Store(err != nil)
	}
	return err
}

func bounded(ctx context.Context, timeout time.Duration, call func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := call(within)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case ctx.Err() == nil && within.Err() != nil:
		return fmt.Errorf("no answer within %s: %w", timeout, err)
	default:
		return err
	}
}

// ready tells whether the database answers. After a change that failed it tries another, since a full disk can still
// be read; one that is large enough to need the room that a real change does.
func (d *database) ready(ctx context.Context) error {
	if !d.failing.Load() {
		return bounded(ctx, readyTimeout, func(ctx context.Context) error { return d.engine.Read(ctx, ping()) })
	}
	room := make([]byte, readyRoom)
	rand.Read(room)
	return d.change(ctx, readyTimeout, func(ctx context.Context) error {
		return d.engine.Run(ctx, Statement{SQL: `UPDATE picoauth_schema SET room = $1`, Args: []any{room}})
	})
}

// ping is a statement that any database can answer at once.
func ping() Statement {
	return Statement{SQL: `SELECT version FROM picoauth_schema`, Read: func(scan Scan) error { return scan(new(int64)) }}
}
