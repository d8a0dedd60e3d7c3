package app

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// reservedDescriptors are the file descriptors that are reserved for keys, storage, logs and the admin port.
	reservedDescriptors = 96
	// mostConnections is the maximum for a limit that is derived from the file descriptors, to limit memory.
	mostConnections = 16384
	// fewConnections is the limit below which the start logs a warning.
	fewConnections = 1024
	// adminConnections is the limit of the admin port.
	adminConnections = 32

	// newQuiet is the time after which a new connection that has sent nothing may be closed to make room for another.
	newQuiet = 250 * time.Millisecond
	// roomPoll is the interval at which a waiting connection checks for room.
	roomPoll = 20 * time.Millisecond
)

// connectionLimit returns the maximum number of connections, for the number of file descriptors that the process may open (0: not
// known). warning is set if that is less than wanted, or less than a server should have.
func connectionLimit(wanted, descriptors int) (limit int, warning string) {
	limit = mostConnections
	if descriptors > 0 {
		limit = min(limit, descriptors-min(reservedDescriptors, descriptors/2))
	}
	switch {
	case wanted > 0 && (descriptors == 0 || wanted <= descriptors-reservedDescriptors):
		return wanted, ""
	case wanted > 0:
		return min(wanted, limit), fmt.Sprintf("app.max_connections needs %d file descriptors", wanted+reservedDescriptors)
	case limit < fewConnections:
		return limit, fmt.Sprintf("%d connections need %d file descriptors", fewConnections, fewConnections+reservedDescriptors)
	}
	return limit, ""
}

// maxConnections is how many connections the server has open at most.
func (s *Server) maxConnections() int { return cap(s.slots) }

// limitedListener limits the number of open connections.
type limitedListener struct {
	net.Listener
	server *Server
}

// Accept waits until there is room for a connection. If there is none, the connection that has been idle longest is closed, so that
// idle clients cannot lock others out.
func (l limitedListener) Accept() (net.Conn, error) {
	if !l.server.takeSlot() {
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.server.slots
		return nil, err
	}
	return &limitedConn{conn.(*net.TCPConn), sync.OnceFunc(func() { <-l.server.slots })}, nil
}

// limitedConn frees its slot when it is closed. It keeps the additional methods of a TCP connection.
type limitedConn struct {
	*net.TCPConn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.TCPConn.Close()
}

// takeSlot waits for a slot. It reports false if the server is draining.
func (s *Server) takeSlot() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
	}
	s.fullWarning.Do(func() {
		s.logger.Warn("all connections are in use: idle connections are closed to accept new ones", "max_connections", s.maxConnections())
	})
	ticker := time.NewTicker(roomPoll)
	defer ticker.Stop()
	for {
		s.closeIdlest()
		select {
		case s.slots <- struct{}{}:
			return true
		case <-ticker.C:
		case <-s.draining.Done():
			return false
		}
	}
}

// closeIdlest closes the connection that has waited longest for its next request or, if there is none, for its first.
func (s *Server) closeIdlest() {
	s.mu.Lock()
	var idlest net.Conn
	var known *connection
	for conn, c := range s.connections {
		quiet := !c.takenOver.Load() && (c.state == http.StateIdle || c.state == http.StateNew && time.Since(c.since) > newQuiet)
		if c.evicted || !quiet {
			continue
		}
		if known == nil || c.state != known.state && c.state == http.StateIdle || c.state == known.state && c.since.Before(known.since) {
			idlest, known = conn, c
		}
	}
	if known != nil {
		known.evicted = true
	}
	s.mu.Unlock()
	if idlest != nil {
		_ = idlest.Close()
	}
}

// warnOfLimit logs a warning if the limit of connections is low.
func (s *Server) warnOfLimit() {
	if s.limitWarning != "" {
		s.logger.Warn("the limit of file descriptors is low: "+s.limitWarning+" (raise it with ulimit -n, or LimitNOFILE in a systemd unit)",
			"max_connections", s.maxConnections(), "descriptors", descriptorLimit())
	}
}
