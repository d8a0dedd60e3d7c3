package keys

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/picoauth/picoauth/app"
)

const (
	// reloadEvery is the interval at which a running ring reads its store, and so the time for which a removed key is still used.
	reloadEvery = time.Second
	// maxLag is the maximum age of the records with which a process may sign and publish; if they are older and cannot be read again,
	// it returns ErrUnavailable. All guarantees about other processes include it.
	maxLag = 30 * time.Second
	// keepRemoved is how long the record of a removed key is kept, so that nothing is lost if the clock jumps ahead and back.
	keepRemoved = 24 * time.Hour
	// maxPublished is the maximum number of published keys; clients do not read much larger sets (jose.MaxSetKeys).
	maxPublished = 95
	// MaxAgeLimit is the maximum of max-age in the Cache-Control of a key set.
	MaxAgeLimit = 300 * time.Second
	// ClientCacheTime is how long resource servers are expected to use a key set beyond its max-age.
	ClientCacheTime = 5 * time.Minute
)

// Config configures a [Ring]. Processes that share a store should have the same Config.
type Config struct {
	// Algorithm signs new tokens; see [Algorithms].
	Algorithm string
	// TokenLifetime is the maximum lifetime of a token that the ring signs; rounded up to whole seconds.
	TokenLifetime time.Duration
	// Skew is the maximum difference between the clocks of all processes and resource servers, 0 to 10 minutes.
	Skew time.Duration
	// MaxAge is the maximum of the key set's max-age, 1 to 300 s.
	MaxAge time.Duration
	// CacheTime is how long resource servers use a fetched key set beyond its max-age; at most a day.
	CacheTime time.Duration
	// RotateEvery is how long a key signs; zero: until [Ring.Rotate] is called. It must be at least twice [Config.PendingTime].
	RotateEvery time.Duration
	// Clock is the clock; nil: the system's.
	Clock app.Clock
	// Logger is the logger; nil: none.
	Logger *slog.Logger
}

// DefaultConfig returns a Config with RS256, tokens of 15 minutes, a minute of skew, a max-age and a cache time of 300 s each, and
// no automatic rotation.
func DefaultConfig() Config {
	return Config{
		Algorithm: signingAlgorithms[0], TokenLifetime: 15 * time.Minute, Skew: time.Minute,
		MaxAge: MaxAgeLimit, CacheTime: ClientCacheTime,
	}
}

// Validate returns an error that names the field which is out of range, with its value and the range.
func (c Config) Validate() error {
	if !slices.Contains(signingAlgorithms, c.Algorithm) {
		return fmt.Errorf("keys: algorithm %.32q is not one of %s", c.Algorithm, strings.Join(signingAlgorithms, ", "))
	}
	ranges := []struct {
		name            string
		value, min, max time.Duration
	}{
		{"token lifetime", c.TokenLifetime, time.Second, 10 * 366 * 24 * time.Hour},
		{"skew", c.Skew, 0, 10 * time.Minute},
		{"max-age", c.MaxAge, time.Second, MaxAgeLimit},
		{"cache time", c.CacheTime, 0, 24 * time.Hour},
	}
	for _, r := range ranges {
		if r.value < r.min || r.value > r.max {
			return fmt.Errorf("keys: %s: %s is not within %s to %s", r.name, r.value, r.min, r.max)
		}
	}
	if c.RotateEvery != 0 && c.holdTime(c.TokenLifetime)/c.RotateEvery > maxPublished-4 {
		return fmt.Errorf("keys: rotation interval (server_auth.key_rotation_days): %s is too short for tokens that live %s: "+
			"more than %d keys would be published", c.RotateEvery, c.TokenLifetime, maxPublished)
	}
	if shortest := 2 * c.PendingTime(); c.RotateEvery != 0 && c.RotateEvery < shortest {
		return fmt.Errorf("keys: rotation interval (server_auth.key_rotation_days): %s is not 0 or at least %s",
			c.RotateEvery, shortest)
	}
	return nil
}

// PendingTime is how long a key is published before it signs. That is the maximum age of a key set at a client: a process may have
// served it from old records (30 s), a cache kept it for its max-age, and the client for its own cache time. The skew is added
// because the clock that sets the activation time may differ from the clock that applies it.
func (c Config) PendingTime() time.Duration {
	return maxLag + c.MaxAge + c.CacheTime + c.Skew
}

// holdTime is how long a key is published after its successor begins to sign. For maxLag after that, a process that has not read
// the change may still sign with the old key, with a clock that is ahead; and a validator may check that token with a clock that is
// behind.
func (c Config) holdTime(tokenLifetime time.Duration) time.Duration {
	return maxLag + 2*c.Skew + tokenLifetime
}

// settled returns the Config with a Logger and with the token lifetime rounded up to whole seconds.
func (c Config) settled() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.TokenLifetime = (c.TokenLifetime + time.Second - 1).Truncate(time.Second)
	return c
}
