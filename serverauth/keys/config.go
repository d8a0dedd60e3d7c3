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
	// reloadEvery is how often a running ring reads its store. It bounds how long a removed key is still obeyed.
	reloadEvery = time.Second
	// maxLag is how long a process may sign and publish from an old reading of the store; after that it answers
	// ErrUnavailable. Every promise about other processes includes it.
	maxLag = 30 * time.Second
	// keepRemoved is how long a removed key's record stays, so that a clock that jumped ahead and came back has lost
	// nothing.
	keepRemoved = 24 * time.Hour
	// maxPublished is for how many keys the set has room; clients read no set that is much larger (jose.MaxSetKeys).
	maxPublished = 95
	// MaxAgeLimit is the longest that a key set may be cached by its Cache-Control.
	MaxAgeLimit = 300 * time.Second
)

// Config is how a ring makes, publishes and rotates its keys. Processes that share a store should have the same.
type Config struct {
	// Algorithm signs new tokens; see [Algorithms].
	Algorithm string
	// TokenLifetime is the longest life of any token that the ring signs; rounded up to whole seconds.
	TokenLifetime time.Duration
	// Skew is by how much the clocks of all processes and of the resource servers may differ, 0 to 10 minutes.
	Skew time.Duration
	// MaxAge is the longest max-age of the key set, 1 to 300 s.
	MaxAge time.Duration
	// CacheTime is how long resource servers use a key set that they fetched, beyond its max-age; at most a day.
	CacheTime time.Duration
	// RotateEvery is how long a key signs. Zero: until it is rotated by hand. It cannot be shorter than twice the
	// time for which a key is published before it signs.
	RotateEvery time.Duration
	// Clock may be nil.
	Clock app.Clock
	// Logger may be nil.
	Logger *slog.Logger
}

// DefaultConfig is RS256, tokens of 15 minutes, a minute of skew, a max-age and a cache time of 300 s each, and
// rotation by hand.
func DefaultConfig() Config {
	return Config{
		Algorithm: signingAlgorithms[0], TokenLifetime: 15 * time.Minute, Skew: time.Minute,
		MaxAge: MaxAgeLimit, CacheTime: 5 * time.Minute,
	}
}

// Validate names the field that is out of range, with its value and the range.
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

// PendingTime is for how long a key is published before it signs. A client may hold a set of that age: some process
// served it from an old reading of the store, a cache in between kept it for its max-age, and the client for its own
// time; and the clock that set the time may differ from the clock that obeys it.
func (c Config) PendingTime() time.Duration {
	return maxLag + c.MaxAge + c.CacheTime + c.Skew
}

// holdTime is for how long a key is published after its successor signs. Until maxLag later a process may sign with it
// that has not seen the change, by a clock that is ahead; the token is then held against a clock that is behind.
func (c Config) holdTime(tokenLifetime time.Duration) time.Duration {
	return maxLag + 2*c.Skew + tokenLifetime
}

// settled fills in what may be nil, and rounds.
func (c Config) settled() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.TokenLifetime = (c.TokenLifetime + time.Second - 1).Truncate(time.Second)
	return c
}
