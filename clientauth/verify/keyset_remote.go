package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// Bounds of the JWKS cache.
const (
	// minKeysTTL and maxKeysTTL limit the max-age of an issuer's reply.
	minKeysTTL = time.Minute
	maxKeysTTL = 24 * time.Hour
	// keysGrace is how long keys are used beyond their TTL while the issuer is unavailable.
	keysGrace = time.Hour
	// keysRetry and keysUrgentRetry are the pauses after a failed fetch, with usable keys and without.
	keysRetry       = 10 * time.Second
	keysUrgentRetry = time.Second
)

// RemoteKeySetConfig configures a [RemoteKeySet].
type RemoteKeySetConfig struct {
	// URL of the JWKS document: https, or http on a loopback host.
	URL string
	// Issuer is an issuer whose metadata contains the URL (jwks_uri; OpenID Connect Discovery or RFC 8414), instead of URL.
	Issuer string
	// TTL is how long keys are used if the issuer's reply has no max-age; 0: 5 minutes. A max-age is limited to 1 minute … 24 hours.
	TTL time.Duration
	// Client sends the requests, for example with a private certificate authority; its CheckRedirect and Jar are not used. nil:
	// a client of the set's own.
	Client *http.Client
	// Timeout is the time-out of a fetch; 0: 5 seconds.
	Timeout time.Duration
	// InsecureAllowHTTP allows http for any host. Anybody in the network path can then make valid tokens, so use it only in a
	// network that is as trusted as the issuer itself.
	InsecureAllowHTTP bool
	// Clock is for tests; nil is the system's.
	Clock func() time.Time
	// Logger gets failed fetches and skipped keys; nil is slog.Default().
	Logger *slog.Logger
	// Observer is notified of each fetch; nil: none.
	Observer Observer
}

// RemoteKeySet is the JWK Set of an issuer, fetched and cached. It has no permanent goroutine: a request that finds the keys at
// 80 % of their TTL starts a fetch in the background. While the issuer is unavailable, the keys are used for another hour;
// after that, and until a first fetch succeeds, Key returns [ErrKeysUnavailable]. A request waits for at most one fetch of the
// keys, and at most one more for an unknown kid or for a signature that does not match the key of its kid (the issuer may have
// rotated or replaced the key), and only if it cannot be decided otherwise. A set of more than 1 MiB or 100 keys is an error;
// keys of unknown types are skipped.
type RemoteKeySet struct {
	refresher
	source   keySource
	ttl      time.Duration
	log      *slog.Logger
	observer Observer
	current  atomic.Pointer[keySnapshot]
	unknown  unknownKeys
	// replaced limits the fetches for keys that the issuer may have replaced under their kid.
	replaced pacedFetch
}

// keySnapshot is the content of one fetch.
type keySnapshot struct {
	keys *KeyMap
	at   time.Time // when the fetch began
	ttl  time.Duration
}

// NewRemoteKeySet returns a key set. It returns an error for an invalid URL, and fetches nothing yet.
func NewRemoteKeySet(cfg RemoteKeySetConfig) (*RemoteKeySet, error) {
	source, err := newKeySource(cfg)
	if err != nil {
		return nil, err
	}
	s := &RemoteKeySet{source: source, ttl: orDefault(cfg.TTL, 5*time.Minute), log: loggerOr(cfg.Logger), observer: observerOr(cfg.Observer)}
	timeout := orDefault(cfg.Timeout, fetchPatience)
	s.refresher = refresher{fetch: s.load, clock: cfg.Clock, timeout: timeout, patience: timeout}
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
	switch {
	case err == nil || waited:
		return key, err
	case kid != "" && !snapshot.keys.Has(kid):
		s.unknown.lookFor(ctx, s, kid, now)
	default: // the key does not fit the algorithm, or there is no kid to look for
		s.replaced.await(ctx, &s.refresher, now)
	}
	return s.current.Load().keys.Key(ctx, kid, alg)
}

// replacement fetches the keys after a wrong signature, unless the last such fetch was less than fetchPause ago. It returns the
// current key, which may be unchanged.
func (s *RemoteKeySet) replacement(ctx context.Context, kid, alg string) (*jose.Key, error) {
	s.replaced.await(ctx, &s.refresher, s.clock.Now())
	return s.current.Load().keys.Key(ctx, kid, alg)
}

// usable returns the keys to use now. Depending on their age it starts a fetch, or waits for one.
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
		// The set is old because there were no requests. If the fetch fails, the old set is used.
		_ = s.wait(ctx, s.start())
		return s.current.Load(), true, nil
	case age >= snapshot.ttl/5*4:
		s.background(now, keysRetry)
	}
	return snapshot, false, nil
}

// Age returns the time since the keys in use were fetched, and false before the first successful fetch.
func (s *RemoteKeySet) Age() (time.Duration, bool) {
	snapshot := s.current.Load()
	return snapshot.age(s.clock.Now()), snapshot != nil
}

func (s *keySnapshot) age(now time.Time) time.Duration {
	if s == nil {
		return 0
	}
	return now.Sub(s.at)
}

// Refresh fetches the keys now, or waits for the running fetch. If it fails, the keys stay as they are.
func (s *RemoteKeySet) Refresh(ctx context.Context) error { return s.wait(ctx, s.start()) }

// Ready is for readiness checks: it returns nil once the keys have been fetched, and fetches them if necessary.
func (s *RemoteKeySet) Ready(ctx context.Context) error {
	if s.current.Load() != nil {
		return nil
	}
	if _, _, err := s.usable(ctx, s.clock.Now()); err != nil {
		return fmt.Errorf("%s: %w", s.source, err)
	}
	return nil
}

// load fetches the document and replaces the keys.
func (s *RemoteKeySet) load(ctx context.Context, started time.Time) error {
	snapshot, err := s.download(ctx, started)
	s.observer.FetchedKeys(s, err)
	if err != nil {
		s.log.WarnContext(ctx, "fetching the issuer's keys failed", "url", s.source.String(), "error", err)
		return err
	}
	s.current.Store(snapshot)
	return nil
}

func (s *RemoteKeySet) download(ctx context.Context, started time.Time) (*keySnapshot, error) {
	data, header, err := s.source.keys(ctx)
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
		s.log.DebugContext(ctx, "a key of the issuer is not used", "url", s.source.String(), "reason", reason)
	}
	previous := new(KeyMap)
	if snapshot := s.current.Load(); snapshot != nil {
		previous = snapshot.keys
	}
	return &keySnapshot{previous.with(keys), started, keysTTL(header, s.ttl)}, nil
}

// keysTTL returns the max-age of Cache-Control within its limits, or else fallback. For no-store, no-cache and an invalid
// max-age it returns the minimum.
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
