package sqlcore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The maximum time that a call waits for the database. Calls that change many rows may take longer, if the database is known to
// answer.
const (
	quickTimeout = 5 * time.Second
	slowTimeout  = 30 * time.Second
)

// database limits the time of calls of an Engine.
type database struct {
	engine   Engine
	withKeys bool // the database has the keys too
	quick    time.Duration
}

// run runs a script.
func (d *database) run(ctx context.Context, script ...Statement) error {
	return bounded(ctx, d.quick, func(ctx context.Context) error { return d.engine.Run(ctx, script...) })
}

// change runs a statement and returns the number of rows that it changed.
func (d *database) change(ctx context.Context, sql string, args ...any) (rows int64, err error) {
	err = d.run(ctx, Statement{SQL: sql, Args: args, Count: &rows})
	return rows, err
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
	return bounded(ctx, slowTimeout, call)
}

// read runs statements that change nothing.
func (d *database) read(ctx context.Context, script ...Statement) error {
	return bounded(ctx, d.quick, func(ctx context.Context) error { return d.engine.Read(ctx, script...) })
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
