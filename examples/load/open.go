package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/picoauth/picoauth/testutil"
)

const (
	calibration = 2 * time.Second // of finding the best rate, at most
	batch       = 1000            // sign-ins that are signed for the calibration at a time
	spare       = 1.3             // of the best rate, for what the open loop may have served
)

// openLoad shows what a server does when more comes than it can sign in. It first finds the best rate of sign-ins, in a
// closed loop; then it sends --rate of them a second, however the server is, and asks meanwhile for what must always
// answer. All are signed beforehand: a refused sign-in spends nothing, so that the same is sent again.
func openLoad(ctx context.Context, cfg config, out, progress io.Writer) error {
	cfg.mode = modeProtected // its first user has a token for the protected route
	t, err := newTarget(ctx, "server", cfg.url, cfg)
	if err != nil {
		return err
	}
	o := &openLoop{target: t, cfg: cfg, host: strings.TrimPrefix(cfg.url, "http://")}
	fmt.Fprintln(progress, "measuring the best rate of sign-ins in a closed loop")
	if err := o.calibrate(ctx); err != nil {
		return err
	}
	fmt.Fprintln(progress, "signing the sign-ins of the open loop")
	if err := o.prepare(ctx, int(o.best*cfg.duration.Seconds()*spare)+batch); err != nil {
		return err
	}
	fmt.Fprintf(progress, "sending %d sign-ins a second for %s\n", cfg.rate, cfg.duration)
	o.run(ctx)
	o.report(out)
	if o.served.total.Load() == 0 {
		return fmt.Errorf("no sign-in was served: %s", o.failure())
	}
	return nil
}

// openLoop is one run and what was seen of it.
type openLoop struct {
	target *target
	cfg    config
	host   string

	mu    sync.Mutex
	ready [][]byte // signed requests, as they go over the wire
	count int      // of all that were ever made, for the client addresses

	best            float64 // sign-ins a second in the closed loop
	took            time.Duration
	sent            int64
	unsent          int64 // for want of a connection or of a signed request
	connections     int
	served, refused histogram
	failed          counter
	probes          []*probe
	memory          float64 // the most resident bytes seen
}

// prepare signs n sign-ins, of as many wallets as there are connections.
func (o *openLoop) prepare(ctx context.Context, n int) error {
	errs := make(chan error, o.cfg.connections)
	for worker := range o.cfg.connections {
		share := n / o.cfg.connections
		if worker < n%o.cfg.connections {
			share++
		}
		go func() { errs <- o.sign(ctx, share) }()
	}
	var all []error
	for range o.cfg.connections {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

func (o *openLoop) sign(ctx context.Context, n int) error {
	wallet, err := testutil.NewWallet(o.cfg.algorithm)
	if err != nil {
		return err
	}
	for range n {
		address := o.nextAddress()
		var challenge testutil.Challenge
		ask := map[string]string{"address": wallet.Address, "algorithm": wallet.Algorithm}
		if err := o.target.postFrom(ctx, address, prefix+"/challenge", ask, &challenge); err != nil {
			return explain(err)
		}
		request, err := testutil.SignInRequest(wallet, challenge)
		if err != nil {
			return err
		}
		body, err := json.Marshal(request)
		if err != nil {
			return err
		}
		o.giveBack(rawPost(o.host, prefix+"/sign-in", address, body))
	}
	return nil
}

// nextAddress is the address of the client that sends next, or "" where all come from one. Sixteen of them, each in a
// /64 of its own, share a /48.
func (o *openLoop) nextAddress() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cfg.addresses == 0 {
		return ""
	}
	i := o.count % o.cfg.addresses
	o.count++
	return fmt.Sprintf("2001:db8:%x:%x::1", i/16, i%16)
}

func rawPost(host, path, address string, body []byte) []byte {
	var request bytes.Buffer
	fmt.Fprintf(&request, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, host, len(body))
	if address != "" {
		fmt.Fprintf(&request, "X-Forwarded-For: %s\r\n", address)
	}
	request.WriteString("\r\n")
	request.Write(body)
	return request.Bytes()
}

func (o *openLoop) next() ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := len(o.ready) - 1
	if last < 0 {
		return nil, false
	}
	request := o.ready[last]
	o.ready = o.ready[:last]
	return request, true
}

func (o *openLoop) giveBack(request []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ready = append(o.ready, request)
}

// calibrate finds the best rate: each connection sends its next sign-in when it has the answer to the last. The time for
// signing does not count.
func (o *openLoop) calibrate(ctx context.Context) error {
	conns := make([]*wire, o.cfg.connections)
	for i := range conns {
		conns[i] = &wire{host: o.host}
		defer conns[i].close()
	}
	var rates []float64
	for spent := time.Duration(0); spent < min(calibration, o.cfg.duration) && ctx.Err() == nil; {
		if err := o.prepare(ctx, batch); err != nil {
			return err
		}
		start := time.Now()
		errs := make([]error, len(conns))
		var all sync.WaitGroup
		for i, conn := range conns {
			all.Go(func() { errs[i] = o.drain(conn) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		rates = append(rates, batch/time.Since(start).Seconds())
		spent += time.Since(start)
	}
	o.best = slices.Max(append(rates, 0))
	return ctx.Err()
}

func (o *openLoop) drain(conn *wire) error {
	for {
		request, ok := o.next()
		if !ok {
			return nil
		}
		status, err := conn.send(request)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d in the closed loop", status)
		}
		if err != nil {
			return err
		}
	}
}

func (t *target) postFrom(ctx context.Context, address, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if address != "" {
		request.Header.Set("X-Forwarded-For", address)
	}
	reply, err := t.send(request)
	if err != nil {
		return err
	}
	return json.Unmarshal(reply.body, out)
}
