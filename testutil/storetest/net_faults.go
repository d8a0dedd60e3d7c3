package storetest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// ErrConnectionLost is what a connection returns that [NetFaults] has broken.
var ErrConnectionLost = errors.New("storetest: the connection is lost")

// NetFaults are the [Faults] of a storage behind a network: a step is a packet that is written to it. The zero value is ready.
type NetFaults struct {
	mu     sync.Mutex
	left   int // steps to the one that fails; 0: none does
	done   bool
	struck bool
}

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer returns a function that opens connections that can break.
func (f *NetFaults) Dialer(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &faultyConn{Conn: conn, faults: f}, nil
	}
}

// Arm implements [Faults].
func (f *NetFaults) Arm(n int, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.done, f.struck = n, done, false
}

// Disarm implements [Faults].
func (f *NetFaults) Disarm() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = 0
	return f.struck
}

// step tells whether this step fails, and whether it is carried out first.
func (f *NetFaults) step() (fails, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left == 0 {
		return false, true
	}
	f.left--
	f.struck = f.left == 0
	return f.struck, !f.struck || f.done
}

// faultyConn writes, or does not write, and then loses the answer to what was written.
type faultyConn struct {
	net.Conn
	faults *NetFaults
	mu     sync.Mutex
	lost   bool // the answer to come
}

func (c *faultyConn) Write(p []byte) (int, error) {
	fails, done := c.faults.step()
	if !done {
		return 0, errors.Join(ErrConnectionLost, c.Conn.Close())
	}
	if fails {
		c.mu.Lock()
		c.lost = true
		c.mu.Unlock()
	}
	return c.Conn.Write(p)
}

// Read waits for an answer even if it will be lost: when it has come, the storage has done its part.
func (c *faultyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost && err == nil {
		return 0, errors.Join(ErrConnectionLost, c.Conn.Close())
	}
	return n, err
}
