package verify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Bounds of the denylist's client.
const (
	// denylistPageItems is the number of items in a page. An issuer without pages sends all.
	denylistPageItems = "5000"
	// maxDenylistRounds is the maximum number of downloads in one fetch: after one that took long, new items are read immediately.
	maxDenylistRounds = 3
	// denylistRetry is the pause after a failed fetch.
	denylistRetry = time.Second
)

// RemoteDenylistConfig configures a [RemoteDenylist].
type RemoteDenylistConfig struct {
	// URL of the issuer's /revoked-jtis: https, or http on a loopback host.
	URL string
	// Bearer is sent as "Authorization: Bearer", Secret as "X-Fleet-Secret"; empty ones are not sent.
	Bearer, Secret string
	// ClientID and ClientSecret are the credentials of an OAuth client that may read the list. They are sent with HTTP Basic
	// (RFC 6749, section 2.3.1), instead of Bearer.
	ClientID, ClientSecret string
	// TTL is the maximum age of the list, and so the maximum time until a revocation takes effect; 0: 15 seconds. The list is fetched
	// again when its age is half of that.
	TTL time.Duration
	// FailOpen accepts tokens with the last list, however old, or without a list, while the issuer is unavailable. Otherwise the reply
	// is 503. Set it only if availability is more important than revocation.
	FailOpen bool
	// Client sends the requests; its CheckRedirect and Jar are not used. nil: a client of the list's own.
	Client *http.Client
	// Timeout is the time that a request waits for a fetch; 0: 5 seconds. The fetch itself may take longer, as long as 4 KiB arrive
	// within six times that, so that a long list can be read over a slow connection.
	Timeout time.Duration
	// InsecureAllowHTTP allows http for any host, which exposes the credentials to the network.
	InsecureAllowHTTP bool
	// Clock is for tests; nil is the system's.
	Clock func() time.Time
	// Logger gets failed fetches; nil is slog.Default().
	Logger *slog.Logger
	// Observer is notified of each fetch; nil: none.
	Observer Observer
}

// RemoteDenylist is the denylist of a remote issuer, held in memory. It has no permanent goroutine: a request that finds the
// list older than half its TTL starts a fetch in the background, and one that finds it older than its TTL waits for a fetch.
// Denied returns [ErrDenylistUnavailable] if that fails, unless FailOpen is set.
//
// It reads the list in pages and later only new items, if the issuer supports that. An item is kept until its exp. An item
// without exp is kept as long as the issuer lists it or, if only new items are read, as long as the process runs, because the
// expiry of the token is not known here.
type RemoteDenylist struct {
	refresher
	url      *url.URL
	client   *http.Client
	header   http.Header
	ttl      time.Duration
	idle     time.Duration // how long denylistProgress bytes may take to arrive
	failOpen bool
	log      *slog.Logger
	observer Observer
	index    *RevocationIndex
	loaded   atomic.Pointer[time.Time] // when the last successful download began

	// Used by the one fetch that runs.
	etag string
	seq  *int64 // of the last reply, if it had one
}

// NewRemoteDenylist returns a denylist. It returns an error for an invalid URL or credentials, and fetches nothing yet.
func NewRemoteDenylist(cfg RemoteDenylistConfig) (*RemoteDenylist, error) {
	u, client, err := newEndpoint(cfg.URL, cfg.InsecureAllowHTTP, cfg.Client)
	if err != nil {
		return nil, err
	}
	if cfg.ClientID != "" && cfg.Bearer != "" {
		return nil, errors.New("clientauth: a denylist needs a ClientID or a Bearer token, not both")
	}
	d := &RemoteDenylist{url: u, client: client, header: cfg.Credentials(), ttl: orDefault(cfg.TTL, 15*time.Second),
		failOpen: cfg.FailOpen, log: loggerOr(cfg.Logger), observer: observerOr(cfg.Observer), index: NewRevocationIndex()}
	patience := orDefault(cfg.Timeout, fetchPatience)
	d.idle = 6 * patience
	d.refresher = refresher{fetch: d.load, clock: cfg.Clock, patience: patience}
	return d, nil
}

// Credentials returns the headers with the credentials for reading the list.
func (cfg RemoteDenylistConfig) Credentials() http.Header {
	header := http.Header{}
	if cfg.ClientID != "" {
		pair := url.QueryEscape(cfg.ClientID) + ":" + url.QueryEscape(cfg.ClientSecret)
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	if cfg.Bearer != "" {
		header.Set("Authorization", "Bearer "+cfg.Bearer)
	}
	if cfg.Secret != "" {
		header.Set("X-Fleet-Secret", cfg.Secret)
	}
	return header
}

// Denied implements [Denylist].
func (d *RemoteDenylist) Denied(ctx context.Context, token TokenRef) (bool, error) {
	if err := d.fresh(ctx); err != nil && !d.failOpen {
		return false, fmt.Errorf("%w: %w", ErrDenylistUnavailable, err)
	}
	return d.index.Denied(ctx, token)
}

// Ready is for readiness checks: it returns nil while the list is not older than its TTL, and fetches the list if it is. With
// FailOpen it returns nil in any case.
func (d *RemoteDenylist) Ready(ctx context.Context) error {
	if d.failOpen {
		return nil
	}
	return d.fresh(ctx)
}

// fresh waits until the list is not older than its TTL, or returns the error of the fetch.
func (d *RemoteDenylist) fresh(ctx context.Context) error {
	now := d.clock.Now()
	switch age := d.age(now); {
	case age < 0 || age >= d.ttl:
		return d.await(ctx, now)
	case age >= d.ttl/2:
		d.background(now, denylistRetry)
	}
	return nil
}

// Age returns the time since the list was up to date, and false before the first successful fetch.
func (d *RemoteDenylist) Age() (time.Duration, bool) {
	age := d.age(d.clock.Now())
	return age, age >= 0
}

// Len returns the number of items.
func (d *RemoteDenylist) Len() int { return d.index.Len() }

// age returns the age of the list, or -1 if there is none.
func (d *RemoteDenylist) age(now time.Time) time.Duration {
	if at := d.loaded.Load(); at != nil {
		return now.Sub(*at)
	}
	return -1
}

// await waits for a fetch, for a request that finds no list or one that is too old. For a
// second after a failure it returns that error. With FailOpen it waits only if the last fetch did not fail.
func (d *RemoteDenylist) await(ctx context.Context, now time.Time) error {
	recent, err := d.failure(now, denylistRetry)
	if recent {
		return err
	}
	fetch := d.start()
	if err != nil && d.failOpen {
		return err
	}
	return d.wait(ctx, fetch)
}

// Refresh fetches the list now, or waits for the running fetch.
func (d *RemoteDenylist) Refresh(ctx context.Context) error { return d.wait(ctx, d.start()) }

func (d *RemoteDenylist) load(ctx context.Context, started time.Time) error {
	err := d.download(ctx)
	for round := 1; err == nil && d.seq != nil && round < maxDenylistRounds; round++ {
		now := d.clock.Now()
		if now.Sub(started) < d.ttl/2 {
			break
		}
		started = now // items that were added during a long download are still missing
		err = d.download(ctx)
	}
	d.observer.PolledDenylist(d, err)
	if err != nil {
		d.log.WarnContext(ctx, "fetching the issuer's denylist failed", "url", d.url.String(), "error", err)
		return err
	}
	d.loaded.Store(&started)
	d.index.Prune(started)
	return nil
}
