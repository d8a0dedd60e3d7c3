package clientauth

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/app"
)

// Bounds of the denylist's client.
const (
	// maxDenylistBytes is the largest answer that is read; it is decoded as it comes and never held whole.
	maxDenylistBytes = 256 << 20
	// denylistRetry is the pause after a failed fetch.
	denylistRetry = time.Second
)

// RemoteDenylistConfig configures a [RemoteDenylist].
type RemoteDenylistConfig struct {
	// URL of the issuer's /revoked-jtis: https, or http on a loopback host.
	URL string
	// Bearer is sent as "Authorization: Bearer", Secret as "X-Fleet-Secret"; an empty one is not sent.
	Bearer, Secret string
	// TTL is the longest time between a revocation and its effect here; 0 is 15 seconds. The list is fetched again
	// when it is half as old.
	TTL time.Duration
	// FailOpen accepts tokens by the last list, however old, or by none, while the issuer cannot be asked. Without it
	// they are answered 503. Set it only where being available counts for more than a revocation.
	FailOpen bool
	// Client sends the requests; its redirect rule and cookies are not used. nil is a client of the list's own.
	Client *http.Client
	// Timeout is how long a request waits for a fetch; 0 is 5 seconds. The fetch itself may take six times that, so that
	// a long list arrives.
	Timeout time.Duration
	// InsecureAllowHTTP allows http to any host, which shows the credentials to whoever is between.
	InsecureAllowHTTP bool
	// Clock is for tests; nil is the system's.
	Clock app.Clock
	// Logger gets failed fetches; nil is slog.Default().
	Logger *slog.Logger
	// Instruments count the fetches; nil is none.
	Instruments *Instruments
}

// RemoteDenylist is the denylist of an issuer elsewhere. It has no goroutine of its own: a request that finds the list
// older than half its TTL starts a fetch in the background, and one that finds it older than its TTL waits for a fetch.
// Denied returns [ErrDenylistUnavailable] when that fails, unless FailOpen.
type RemoteDenylist struct {
	refresher
	url      *url.URL
	client   *http.Client
	header   http.Header
	ttl      time.Duration
	failOpen bool
	log      *slog.Logger
	metrics  *Instruments
	index    *RevocationIndex
	loaded   atomic.Pointer[time.Time] // when the last good fetch began

	// Used by the one fetch that runs.
	etag string
	seq  *int64 // of the last answer, if it had one
}

// NewRemoteDenylist checks the URL and the credentials; it fetches nothing yet.
func NewRemoteDenylist(cfg RemoteDenylistConfig) (*RemoteDenylist, error) {
	u, client, err := newEndpoint(cfg.URL, cfg.InsecureAllowHTTP, cfg.Client)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	if cfg.Bearer != "" {
		header.Set("Authorization", "Bearer "+cfg.Bearer)
	}
	if cfg.Secret != "" {
		header.Set("X-Fleet-Secret", cfg.Secret)
	}
	d := &RemoteDenylist{url: u, client: client, header: header, ttl: orDefault(cfg.TTL, 15*time.Second),
		failOpen: cfg.FailOpen, log: loggerOr(cfg.Logger), metrics: cfg.Instruments, index: NewRevocationIndex()}
	patience := orDefault(cfg.Timeout, fetchPatience)
	d.refresher = refresher{fetch: d.load, clock: cfg.Clock, timeout: 6 * patience, patience: patience}
	d.metrics.watchDenylist(d)
	return d, nil
}

// Denied implements [Denylist].
func (d *RemoteDenylist) Denied(ctx context.Context, token TokenRef) (bool, error) {
	now := d.clock.Now()
	switch age := d.age(now); {
	case age < 0 || age >= d.ttl:
		if err := d.await(ctx, now); err != nil && !d.failOpen {
			return false, fmt.Errorf("%w: %w", ErrDenylistUnavailable, err)
		}
	case age >= d.ttl/2:
		d.background(now, denylistRetry)
	}
	return d.index.Denied(ctx, token)
}

// age is how old the list is, or -1 when there is none.
func (d *RemoteDenylist) age(now time.Time) time.Duration {
	if at := d.loaded.Load(); at != nil {
		return now.Sub(*at)
	}
	return -1
}

// await is for a request that finds no list, or one that is too old. A list that fails open is not waited for again
// once it has failed.
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

// Refresh fetches the list now, or waits for the fetch that runs.
func (d *RemoteDenylist) Refresh(ctx context.Context) error { return d.wait(ctx, d.start()) }

func (d *RemoteDenylist) load(ctx context.Context, started time.Time) error {
	err := d.download(ctx)
	d.metrics.polledDenylist(err)
	if err != nil {
		d.log.WarnContext(ctx, "fetching the issuer's denylist failed", "url", d.url.String(), "error", err)
		return err
	}
	d.loaded.Store(&started)
	d.index.Prune(started)
	return nil
}

func (d *RemoteDenylist) download(ctx context.Context) error {
	header, u := d.header.Clone(), *d.url
	if d.etag != "" {
		header.Set("If-None-Match", d.etag)
	}
	partial := d.seq != nil
	if partial {
		query := u.Query()
		query.Set("since", strconv.FormatInt(*d.seq, 10))
		u.RawQuery = query.Encode()
	}
	response, err := get(ctx, d.client, &u, header)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && d.etag != "":
		return nil
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return d.take(response, partial)
}

// take puts an answer in place. What came since the last one is added; a whole list replaces what there was.
func (d *RemoteDenylist) take(response *http.Response, partial bool) error {
	target := d.index
	if !partial {
		target = d.index.sibling()
	}
	seq, err := readRevocations(response.Body, maxDenylistBytes, target.Apply)
	if err != nil {
		return err
	}
	if !partial {
		d.index.adopt(target)
	}
	d.seq, d.etag = seq, response.Header.Get("ETag")
	return nil
}
