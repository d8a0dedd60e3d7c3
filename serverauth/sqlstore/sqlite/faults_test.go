package sqlite_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync"

	"github.com/picoauth/picoauth/testutil/storetest"
)

var errFault = errors.New("the connection is lost")

// faults breaks connections at a statement. It is a storetest.Faults.
type faults struct {
	mu     sync.Mutex
	left   int // steps to the one that fails; 0: none does
	done   bool
	struck bool
}

var _ storetest.Faults = (*faults)(nil)

func (f *faults) Arm(n int, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.done, f.struck = n, done, false
}

func (f *faults) Disarm() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = 0
	return f.struck
}

// step tells whether this step fails, and whether it is carried out first.
func (f *faults) step() (fails, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left == 0 {
		return false, true
	}
	f.left--
	f.struck = f.left == 0
	return f.struck, !f.struck || f.done
}

func (f *faults) wrap(c driver.Connector) driver.Connector { return faultyConnector{c, f} }

type faultyConnector struct {
	driver.Connector
	faults *faults
}

func (c faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyConn{fullConn: conn.(fullConn), faults: c.faults}, nil
}

// fullConn is what database/sql asks of a connection.
type fullConn interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type faultyConn struct {
	fullConn
	faults *faults
	broken bool
}

// carry carries a step out, or not, and breaks the connection if it fails.
func (c *faultyConn) carry(step func() error) error {
	if c.broken {
		return errFault
	}
	fails, done := c.faults.step()
	if done {
		if err := step(); err != nil {
			return err
		}
	}
	if fails {
		c.broken = true
		return errors.Join(errFault, c.fullConn.Close()) // which rolls back what was not committed
	}
	return nil
}

func (c *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.carry(func() error {
		result, err = c.fullConn.ExecContext(ctx, query, args)
		return err
	})
	return result, err
}

func (c *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows := &readRows{}
	err := c.carry(func() error {
		found, err := c.fullConn.QueryContext(ctx, query, args)
		if err != nil {
			return err
		}
		return rows.read(found)
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func (c *faultyConn) IsValid() bool { return !c.broken && c.fullConn.IsValid() }

func (c *faultyConn) Close() error {
	if c.broken {
		return nil
	}
	return c.fullConn.Close()
}

// readRows are rows that were read whole.
type readRows struct {
	columns []string
	rows    [][]driver.Value
}

func (r *readRows) read(rows driver.Rows) (err error) {
	r.columns = rows.Columns()
	for {
		row := make([]driver.Value, len(r.columns))
		if err := rows.Next(row); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(err, rows.Close())
		}
		r.rows = append(r.rows, row)
	}
}

func (r *readRows) Columns() []string { return r.columns }
func (r *readRows) Close() error      { return nil }

func (r *readRows) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(dest, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}
