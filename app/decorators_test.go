package app_test

import (
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/verify"
)

func TestDecoratorsWithoutEffectRefuseTheStart(t *testing.T) {
	settings := func(s app.Settings) app.Settings { return s }
	for name, test := range map[string]struct {
		option fx.Option
		want   string
	}{
		"of ours, inside a module":  {fx.Module("shop", fx.Decorate(settings)), `it is inside the module "shop"; put it at the root of the app`},
		"of ours, two modules deep": {fx.Module("shop", fx.Module("stock", fx.Decorate(settings))), `it is inside the module "stock"`},
		"of a concrete type": {fx.Options(fx.Provide(func() greeter { return polite{} }), fx.Decorate(func(greeter) brief { return brief{} })),
			"no constructor provides app_test.brief"},
		"a replacement by a concrete type": {fx.Options(fx.Provide(func() greeter { return polite{} }), fx.Replace(brief{})), "no constructor provides app_test.brief"},
		"of ours, at the root":             {fx.Decorate(settings), ""},
		"of another type, inside its own module": {fx.Module("shop", fx.Provide(func() greeter { return polite{} }),
			fx.Decorate(func(greeter) greeter { return brief{} })), ""},
		"of another type, inside its own module, privately": {fx.Module("shop", fx.Provide(func() greeter { return polite{} }, fx.Private),
			fx.Decorate(func(greeter) greeter { return brief{} })), ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := app.New(quiet(), test.option).Err()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// A module may give its own parts a logger of their own.
func TestAModuleMayDecorateItsLogger(t *testing.T) {
	if err := app.New(quiet(), fx.Module("shop", fx.Decorate(func(l *slog.Logger) *slog.Logger { return l.With("module", "shop") }))).Err(); err != nil {
		t.Error(err)
	}
}

// What clientauth uses for itself is no type that a module can have of its own.
func TestAModuleMayHaveAnObserverOfItsOwn(t *testing.T) {
	own := fx.Module("shop", fx.Provide(func() verify.Observer { return new(clientauth.Instruments) }, fx.Private),
		fx.Decorate(func(o verify.Observer) verify.Observer { return o }))
	if err := app.New(quiet(), clientauth.Module, own, app.ConfigMap(map[string]any{"auth_client.enabled": false})).Err(); err != nil {
		t.Error(err)
	}
}
