package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/testutil"
)

const prefix = "/api/v1/auth"

// target is a server under load and what was seen of it.
type target struct {
	name       string
	url        string
	path       string // of a protected route; empty where there is none
	signing    string // algorithm of its tokens
	access     string // token of one of its users, where the mode needs one
	keys       []byte // its JWKS
	keysHeader http.Header
	client     *http.Client
	operations []operation // one a connection

	latencies histogram
	turns     []float64 // operations a second, of each turn
	failed    atomic.Int64
	firstErr  sync.Once
	err       error // the first one
}

// newTarget asks the server for its keys and makes the connections' wallets and sessions.
func newTarget(ctx context.Context, name, url string, cfg config) (*target, error) {
	t := &target{name: name, url: url, path: cfg.path, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: cfg.connections, MaxConnsPerHost: cfg.connections},
		Timeout:   time.Minute,
	}}
	reply, err := t.get(ctx, prefix+"/jwks", "")
	if err != nil {
		return nil, fmt.Errorf("no auth server at %s: %w", url, err)
	}
	t.keys, t.keysHeader = reply.body, reply.header
	var set struct {
		Keys []struct {
			Algorithm string `json:"alg"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(t.keys, &set); err != nil || len(set.Keys) == 0 {
		return nil, fmt.Errorf("%s%s/jwks has no keys", url, prefix)
	}
	t.signing = set.Keys[0].Algorithm
	for range cfg.connections {
		operation, err := t.newOperation(ctx, cfg)
		if err != nil {
			return nil, explain(err)
		}
		t.operations = append(t.operations, operation)
	}
	return t, nil
}

// explain adds what a person can do about an error.
func explain(err error) error {
	var status *testutil.StatusError
	if errors.As(err, &status) && status.Status == http.StatusTooManyRequests {
		return fmt.Errorf("%w\nstart the server with SERVER_AUTH__RATE_LIMIT_PER_MINUTE=0", err)
	}
	return err
}

func (t *target) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := t.send(request)
	if err != nil {
		return err
	}
	return json.Unmarshal(reply.body, out)
}

// reply is a reply with status 200.
type reply struct {
	header http.Header
	body   []byte
}

func (t *target) get(ctx context.Context, path, token string) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+path, nil)
	if err != nil {
		return reply{}, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return t.send(request)
}

func (t *target) send(request *http.Request) (reply, error) {
	response, err := t.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = &testutil.StatusError{Status: response.StatusCode, Body: bytes.TrimSpace(body)}
	}
	return reply{response.Header, body}, err
}

// do runs an operation and counts it, unless the time was up before it ended.
func (t *target) do(ctx context.Context, operation operation) {
	start := time.Now()
	err := operation(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		t.failed.Add(1)
		t.firstErr.Do(func() { t.err = err })
	default:
		t.latencies.add(time.Since(start))
	}
}

// served is how many operations have succeeded.
func (t *target) served() uint64 { return t.latencies.total.Load() }

// failure is the first error as one line, or "".
func (t *target) failure() string {
	if t.failed.Load() == 0 {
		return ""
	}
	return strings.ReplaceAll(explain(t.err).Error(), "\n", "; ")
}
