package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/revocation"
)

// offlinePatience is the time limit of the start, and of the stop, of a server that works on its storage only.
const offlinePatience = 2 * time.Minute

// offline has the parts of a server that commands use on its storage, whether or not another server runs.
type offline struct {
	ring    *keys.Ring
	revoker *revocation.Revoker
	mints   audit.Store
}

// settingsOf reads a server's configuration.
func settingsOf(file string) (s serverauth.ServerAuthSettings, err error) {
	k, _, err := config.Load(serverConfig(file))
	if err != nil {
		return s, faulty(err)
	}
	return config.Section(k, serverauth.SettingsSection, serverauth.DefaultServerAuthSettings())
}

// withStorage calls work with the storage of a server, which must exist.
func withStorage(ctx context.Context, config string, work func(context.Context, offline) error) error {
	s, err := settingsOf(config)
	if err != nil {
		return err
	}
	if s.StorageURL() == "memory:" {
		return errors.New("the server keeps its state in memory: there is no storage to work on; use the command over HTTP, after picoauth login")
	}
	if at, err := placeOf(s); err == nil {
		if _, err := at.size(); err != nil {
			return err
		}
	}
	return runOffline(ctx, config, work)
}

// silent discards the log of a server.
var silent = fx.Decorate(func() *slog.Logger { return slog.New(slog.DiscardHandler) })

// runOffline starts the server on a random loopback port, where no client finds it, and calls work.
func runOffline(ctx context.Context, config string, work func(context.Context, offline) error) (err error) {
	var o offline
	running := app.New(server(config), app.ConfigMap(map[string]any{"app.host": "127.0.0.1", "app.port": 0, "app.admin_port": 0, "app.shutdown_delay_seconds": 0}),
		silent, fx.Populate(&o.ring, &o.revoker, &o.mints))
	within, cancel := context.WithTimeout(ctx, offlinePatience)
	defer cancel()
	if err := running.Start(within); err != nil {
		return err
	}
	defer func() {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), offlinePatience)
		defer cancel()
		err = errors.Join(err, running.Stop(within))
	}()
	return work(ctx, o)
}

// compromise removes a key and puts it on the denylist.
func (o offline) compromise(ctx context.Context, kid string, cause revocation.Cause) error {
	if _, err := o.ring.Compromise(ctx, kid); err != nil {
		return err
	}
	_, err := o.revoker.Key(ctx, kid, cause)
	return err
}
