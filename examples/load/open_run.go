package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxOpen      = 4096             // connections of the open loop
	patience     = 10 * time.Second // for one reply
	dispatch     = time.Millisecond // between two looks at what is due
	probeEvery   = 20 * time.Millisecond
	memoryMetric = "process_resident_memory_bytes"
)

// arrival is one sign-in of the open loop. Its latency counts from when it was due.
type arrival struct {
	request []byte
	due     time.Time
}

// run sends at the rate until the time is over. A connection that waits for a reply is not waited for: another is opened.
func (o *openLoop) run(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, o.cfg.duration)
	defer cancel()
	var probes, workers sync.WaitGroup
	for _, path := range []string{"/healthz", prefix + "/jwks", o.target.path} {
		p := &probe{path: path}
		o.probes = append(o.probes, p)
		probes.Go(func() { p.run(within, o.target) })
	}
	probes.Go(func() { o.watchMemory(within) })
	arrivals := make(chan arrival)
	start := time.Now()
	ticker := time.NewTicker(dispatch)
	defer ticker.Stop()
	for within.Err() == nil {
		for due := int64(time.Since(start).Seconds() * float64(o.cfg.rate)); o.sent+o.unsent < due; {
			o.arrive(arrivals, &workers)
		}
		select {
		case <-ticker.C:
		case <-within.Done():
		}
	}
	o.took = time.Since(start)
	close(arrivals)
	workers.Wait()
	probes.Wait()
}

func (o *openLoop) arrive(arrivals chan arrival, workers *sync.WaitGroup) {
	request, ok := o.next()
	if !ok {
		o.unsent++
		return
	}
	a := arrival{request, time.Now()}
	select {
	case arrivals <- a:
		o.sent++
		return
	default:
	}
	if o.connections == maxOpen {
		o.giveBack(request)
		o.unsent++
		return
	}
	o.connections++
	o.sent++
	workers.Go(func() { o.work(a, arrivals) })
}

// work is one connection.
func (o *openLoop) work(first arrival, arrivals <-chan arrival) {
	conn := &wire{host: o.host}
	defer conn.close()
	o.signIn(conn, first)
	for a := range arrivals {
		o.signIn(conn, a)
	}
}

func (o *openLoop) signIn(conn *wire, a arrival) {
	status, err := conn.send(a.request)
	took := time.Since(a.due)
	switch {
	case err != nil:
		o.failed.add(err)
	case status == http.StatusOK:
		o.served.add(took)
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		o.refused.add(took)
		o.giveBack(a.request)
	default:
		o.failed.add(fmt.Errorf("status %d", status))
	}
}

func (o *openLoop) failure() string {
	if err := o.failed.first.Load(); err != nil {
		return (*err).Error()
	}
	return "all were refused"
}

// counter counts errors and keeps the first.
type counter struct {
	total atomic.Int64
	first atomic.Pointer[error]
}

func (c *counter) add(err error) {
	c.total.Add(1)
	c.first.CompareAndSwap(nil, &err)
}

// probe asks for one path again and again.
type probe struct {
	path    string
	replies histogram
	failed  counter
}

func (p *probe) run(ctx context.Context, t *target) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		start := time.Now()
		_, err := t.get(ctx, p.path, t.access)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.failed.add(err)
		default:
			p.replies.add(time.Since(start))
		}
	}
}

// watchMemory reads the server's resident memory from its metrics, where it shows them.
func (o *openLoop) watchMemory(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		if reply, err := o.target.get(ctx, "/metrics", ""); err == nil {
			for line := range strings.Lines(string(reply.body)) {
				if value, found := strings.CutPrefix(line, memoryMetric+" "); found {
					bytes, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
					o.memory = max(o.memory, bytes)
				}
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
