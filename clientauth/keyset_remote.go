package clientauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// Bounds of the JWKS cache.
const (
	// minKeysTTL and maxKeysTTL clamp the max-age that an issuer sends.
	minKeysTTL = time.Minute
	maxKeysTTL = 24 * time.Hour
	// keysGrace is how long keys are used beyond their time to live when the issuer is down.
	keysGrace = time.Hour
	// keysRetry and keysUrgentRetry are the pauses after a failed fetch, with keys left to use and without.
	keysRetry       = 10 * time.Second
	keysUrgentRetry = time.Second
)

// RemoteKeySetConfig configures a [RemoteKeySet].
type RemoteKeySetConfig struct {
	// URL of the JWKS document: https, or http on a loopback host.
	URL string
	// TTL is how long keys are used when the issuer sends no max-age; 0 is 5 minutes. A max-age takes its place,
	// clamped to 1 minute … 24 hours.
	TTL time.Duration
	// Client sends the requests, for instance with a root certificate of one's own; its redirect rule and cookies are
	// not used. nil is a client of the set's own.
	Client *http.Client
	// Timeout bounds one fetch; 0 is 5 seconds.
	Timeout time.Duration
	// InsecureAllowHTTP allows http to any host. Whoever is between can then make valid tokens: only for a network that
	// is trusted as much as the issuer itself.
	InsecureAllowHTTP bool
	// Clock is for tests; nil is the system's.
	Clock app.Clock
	// Logger gets failed fetches and skipped keys; nil is slog.Default().
	Logger *slog.Logger
	// Instruments count the fetches; nil is none.
	Instruments *Instruments
}

// RemoteKeySet is the JWKS of an issuer, fetched and cached. It has no goroutine of its own: a request that finds the
// keys at 80 % of their time to live starts a fetch in the background. While the issuer is down the keys are used for
// an hour more; then, and before the first fetch, Key returns [ErrKeysUnavailable]. A request waits for at most one
// fetch for its keys (and at most one for an unknown kid, see unknownKeys), and only if it could not be answered
// otherwise. At most 1 MiB and 100 keys are read; keys that are not known here are skipped.
type RemoteKeySet struct {
	refresher
	url     *url.URL
	client  *http.Client
	ttl     time.Duration
	log     *slog.Logger
	metrics *Instruments
	current atomic.Pointer[keySnapshot]
	unknown unknownKeys
}

// keySnapshot is the content of one fetch.
type keySnapshot struct {
	keys *KeyMap
	at   time.Time // when the fetch began
	ttl  time.Duration
}

// NewRemoteKeySet checks the URL; it fetches nothing yet.
func NewRemoteKeySet(cfg RemoteKeySetConfig) (*RemoteKeySet, error) {
	u, client, err := newEndpoint(cfg.URL, cfg.InsecureAllowHTTP, cfg.Client)
	if err != nil {
		return nil, err
	}
	s := &RemoteKeySet{url: u, client: client, ttl: orDefault(cfg.TTL, 5*time.Minute), log: loggerOr(cfg.Logger), metrics: cfg.Instruments}
	timeout := orDefault(cfg.Timeout, fetchPatience)
	s.refresher = refresher{fetch: s.load, clock: cfg.Clock, timeout: timeout, patience: timeout}
	s.metrics.watchKeys(s)
	return s, nil
}

// Key implements [KeySet].
func (s *RemoteKeySet) Key(ctx context.Context, kid, alg string) (*jose.Key, error) {
	now := s.clock.Now()
	snapshot, waited, err := s.usable(ctx, now)
	if err != nil {
		return nil, err
	}
	key, err := snapshot.keys.Key(ctx, kid, alg)
	if err == nil || waited || kid == "" || snapshot.keys.Has(kid) {
		return key, err
	}
	s.unknown.lookFor(ctx, s, kid, now)
	return s.current.Load().keys.Key(ctx, kid, alg)
}

// usable returns the keys to use now, after starting or awaiting the fetch that their age asks for.
func (s *RemoteKeySet) usable(ctx context.Context, now time.Time) (snapshot *keySnapshot, waited bool, err error) {
	snapshot = s.current.Load()
	switch age := snapshot.age(now); {
	case snapshot == nil || age >= snapshot.ttl+keysGrace:
		if recent, err := s.failure(now, keysUrgentRetry); recent {
			return nil, false, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
		}
		if err := s.wait(ctx, s.start()); err != nil {
			return nil, true, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
		}
		return s.current.Load(), true, nil
	case age < 0 || age >= snapshot.ttl:
		if _, failed := s.failure(now, 0); failed != nil {
			s.background(now, keysRetry)
			return snapshot, false, nil
		}
		// The set is old for want of requests. A failure leaves what there is.
		_ = s.wait(ctx, s.start())
		return s.current.Load(), true, nil
	case age >= snapshot.ttl/5*4:
		s.background(now, keysRetry)
	}
	return snapshot, false, nil
}

func (s *keySnapshot) age(now time.Time) time.Duration {
	if s == nil {
		return 0
	}
	return now.Sub(s.at)
}

// Refresh fetches the keys now, or waits for the fetch that runs. It is for warming up; a failure changes nothing.
func (s *RemoteKeySet) Refresh(ctx context.Context) error { return s.wait(ctx, s.start()) }

// load fetches the document and puts its keys in place.
func (s *RemoteKeySet) load(ctx context.Context, started time.Time) error {
	snapshot, err := s.download(ctx, started)
	s.metrics.fetchedKeys(err)
	if err != nil {
		s.log.WarnContext(ctx, "fetching the issuer's keys failed", "url", s.url.String(), "error", err)
		return err
	}
	s.current.Store(snapshot)
	return nil
}

func (s *RemoteKeySet) download(ctx context.Context, started time.Time) (*keySnapshot, error) {
	response, err := get(ctx, s.client, s.url, http.Header{})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	data, err := readAll(response.Body, jose.MaxSetBytes)
	if err != nil {
		return nil, err
	}
	keys, skipped, err := jose.ParseSet(data)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.Join(append([]error{errors.New("no usable key")}, skipped...)...)
	}
	for _, reason := range skipped {
		s.log.DebugContext(ctx, "a key of the issuer is not used", "url", s.url.String(), "reason", reason)
	}
	return &keySnapshot{s.mapped(keys), started, keysTTL(response.Header, s.ttl)}, nil
}

// mapped keeps the pointers of keys that were there before: who compares pointers sees that nothing changed.
func (s *RemoteKeySet) mapped(keys []jose.Key) *KeyMap {
	next := NewKeyMap(keys...)
	if previous := s.current.Load(); previous != nil {
		next.keepPointers(previous.keys)
	}
	return next
}

// keysTTL is the max-age of Cache-Control, clamped, or else fallback.
func keysTTL(header http.Header, fallback time.Duration) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minKeysTTL
		case "max-age":
			seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 64)
			if err != nil || seconds < 0 {
				return minKeysTTL
			}
			return min(max(time.Duration(min(seconds, int64(maxKeysTTL/time.Second)))*time.Second, minKeysTTL), maxKeysTTL)
		}
	}
	return fallback
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}

func loggerOr(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.Default()
	}
	return log
}
