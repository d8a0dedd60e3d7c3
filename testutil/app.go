package testutil

import (
	"context"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
)

// App is an app that runs on a free loopback port until its test ends.
type App struct {
	*app.App
	// URL is the app's base URL, without a trailing slash.
	URL string
}

// NewApp starts an app of the given options and fails the test if it does not start. Its log is silent below errors and
// no configuration file is read.
func NewApp(tb testing.TB, options ...fx.Option) *App {
	tb.Helper()
	var server *app.Server
	running := app.New(append([]fx.Option{
		app.ConfigDefaults(map[string]any{"app": map[string]any{"port": 0, "log_level": "error"}}),
		fx.Populate(&server),
	}, options...)...)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := running.Start(ctx); err != nil {
		tb.Fatalf("the app does not start: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := running.Stop(ctx); err != nil {
			tb.Errorf("the app does not stop: %v", err)
		}
	})
	return &App{App: running, URL: "http://" + server.Addr().String()}
}

// WithChallengeStore replaces the challenge store. Put it at the root of the app: inside an fx.Module it has no
// effect there.
func WithChallengeStore(store serverauth.ChallengeStore) fx.Option {
	return fx.Decorate(func() serverauth.ChallengeStore { return store })
}

// WithClaimsProvider replaces the claims provider. Put it at the root of the app.
func WithClaimsProvider(provider serverauth.ClaimsProvider) fx.Option {
	return fx.Decorate(func() serverauth.ClaimsProvider { return provider })
}

// WithSessionStore replaces the session store. Put it at the root of the app.
func WithSessionStore(store serverauth.SessionStore) fx.Option {
	return fx.Decorate(func() serverauth.SessionStore { return store })
}
