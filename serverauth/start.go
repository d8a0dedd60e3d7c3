package serverauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
	"go.uber.org/fx"
)

type registerParams struct {
	fx.In
	Lifecycle   fx.Lifecycle
	Echo        *echo.Echo
	Controller  *AuthController
	Policy      *clientauth.Policy `optional:"true"`
	Ring        *keys.Ring
	Denylist    *revocation.Denylist
	Audit       *audit.Recorder
	Settings    ServerAuthSettings
	Challenges  store.ChallengeStore
	Sessions    store.SessionStore
	Revocations store.RevocationStore
	Storage     *storage
	Telemetry   app.Telemetry
	Log         *slog.Logger
	Clock       app.Clock `optional:"true"`
}

// register adds the routes, lets them pass clientauth without a token, and starts the background tasks. The mint audit starts
// first, so that it stops last and records what the other tasks still issue.
func register(p registerParams) error {
	if metrics := p.Telemetry.Metrics(); metrics != nil {
		state := stateCollector{admission: p.Controller.admission, denylist: p.Denylist, ring: p.Ring, audit: p.Audit, now: app.ClockOr(p.Clock)}
		if err := metrics.Register(state); err != nil {
			return fmt.Errorf("serverauth: register metrics: %w", err)
		}
	}
	routes := app.WatchRoutes(p.Echo)
	p.Lifecycle.Append(fx.StartHook(routes.Err))
	p.Controller.Register(p.Echo)
	if p.Policy != nil {
		for _, route := range p.Controller.Routes() {
			p.Policy.AllowAnonymous(route)
		}
	}
	p.Lifecycle.Append(fx.StartHook(p.Denylist.Sync))
	janitor := &janitor{
		challenges: p.Challenges, sessions: p.Sessions, revocations: p.Revocations, accessTTL: p.Settings.AccessTokenTTL(),
		now: app.ClockOr(p.Clock), log: p.Log,
	}
	for _, run := range []func(context.Context){p.Audit.Run, p.Ring.Run, p.Denylist.Run, p.Storage.refresh, janitor.run} {
		Background(p.Lifecycle, run)
	}
	return nil
}

// Background runs a function in the background from the start of the app until it stops: then its context ends, and the stop
// waits for it to return.
func Background(lc fx.Lifecycle, run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	lc.Append(fx.Hook{
		OnStart: func(context.Context) error {
			go func() { defer close(done); run(ctx) }()
			return nil
		},
		OnStop: func(stop context.Context) error {
			cancel()
			select {
			case <-done:
				return nil
			case <-stop.Done():
				return errors.New("serverauth: a background task did not end in time")
			}
		},
	})
}

// startFacts returns the server's part of the log record of the start. Of a storage URL it contains the scheme only.
func startFacts(settings ServerAuthSettings, provider ClaimsProvider, ring *keys.Ring, log *slog.Logger) app.StartFacts {
	kind := func(url string) slog.Value {
		scheme, _, _ := strings.Cut(cmp.Or(url, settings.StorageURL()), ":")
		return slog.StringValue(scheme)
	}
	return func() []slog.Attr {
		signs, next := signing(ring.List())
		if signs.Algorithm != settings.Algorithm {
			log.Warn("the signing algorithm was changed: the old one signs until all clients know the new key; clients must accept both until the last token of the old one expires",
				"signs", signs.Algorithm, "until", next.ActivatesAt, "then", settings.Algorithm, "accept", signs.Algorithm+", "+settings.Algorithm)
		}
		if kind(settings.SessionStorage).String() == memoryScheme || kind(settings.RevocationStorage).String() == memoryScheme {
			log.Warn("state is kept in memory: a restart ends all sessions and forgets revocations; set data_dir or storage_url")
		}
		facts := []slog.Attr{
			slog.String("issuer", settings.Issuer), slog.String("audience", settings.Audience), slog.String("algorithm", settings.Algorithm),
			{Key: "challenge_storage", Value: kind(settings.ChallengeStorage)}, {Key: "session_storage", Value: kind(settings.SessionStorage)},
			{Key: "revocation_storage", Value: kind(settings.RevocationStorage)}, {Key: "mint_storage", Value: kind(settings.MintStorage)},
			{Key: "key_storage", Value: kind(settings.KeyStorage)}, {Key: "link_storage", Value: kind(settings.LinkStorage)},
			slog.String("claims_provider", fmt.Sprintf("%T", provider)), slog.String("documentation", settings.Issuer+Prefix+"/docs"),
			slog.String("signs", signs.Algorithm),
		}
		if !next.ActivatesAt.IsZero() {
			facts = append(facts, slog.String("signs_next", next.Algorithm), slog.Time("signs_next_from", next.ActivatesAt))
		}
		return facts
	}
}

// signing returns the key that signs, and the next key that has a time from which it signs; a zero value if there is none.
func signing(all []keys.KeyInfo) (signs, next keys.KeyInfo) {
	for _, key := range all {
		switch {
		case key.State == keys.StateActive:
			signs = key
		case key.State == keys.StatePending && !key.ActivatesAt.IsZero() && (next.ActivatesAt.IsZero() || key.ActivatesAt.Before(next.ActivatesAt)):
			next = key
		}
	}
	return signs, next
}
