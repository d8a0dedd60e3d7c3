package serverauth

import (
	"context"
	"log/slog"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/keys"
)

const (
	// refreshSecret is the name of the ring's secret that signs refresh tokens.
	refreshSecret = "refresh-token"
	// auditSecret is the name of the ring's secret that seals the mint audit.
	auditSecret = "mint-audit"
	// clientCacheTime is how long resource servers are expected to use a key set beyond its max-age.
	clientCacheTime = 5 * time.Minute
)

// openRing opens the key ring that the settings describe.
func openRing(ctx context.Context, settings ServerAuthSettings, store keys.Store, clock app.Clock, log *slog.Logger) (*keys.Ring, error) {
	return keys.Open(ctx, store, keys.Config{
		Algorithm: settings.Algorithm, TokenLifetime: settings.LongestTokenTTL(), Skew: settings.ClockSkew(),
		MaxAge: keys.MaxAgeLimit, CacheTime: clientCacheTime, RotateEvery: settings.KeyRotationInterval(),
		Clock: clock, Logger: log,
	})
}
