package postgres_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

// fast is how long a call may take to say that the server is away.
const fast = 7 * time.Second

// calls uses each store once.
func calls(s *store.Stores) map[string]func(context.Context) error {
	now := time.Now()
	return map[string]func(context.Context) error{
		"challenge": func(ctx context.Context) error {
			nonce, err := s.Challenges.Create(ctx, "address", time.Minute)
			if err == nil {
				_, err = s.Challenges.Validate(ctx, "address", nonce)
			}
			return err
		},
		"session": func(ctx context.Context) error {
			_, _, err := s.Sessions.Rotate(ctx, store.Rotation{SessionID: "x", Now: now.UnixMilli()})
			return err
		},
		"revocation": func(ctx context.Context) error {
			_, err := s.Revocations.Add(ctx, []store.Revocation{{JTI: "x", RevokedAt: now.Unix(), Exp: now.Unix() + 60}})
			return err
		},
		"mint":  func(ctx context.Context) error { _, err := s.Mints.Head(ctx); return err },
		"keys":  func(ctx context.Context) error { _, err := s.Keys.Load(ctx); return err },
		"ready": s.Ready,
	}
}

// all makes the calls at once and returns their errors.
func all(t *testing.T, s *store.Stores) map[string]error {
	t.Helper()
	errs := make(chan struct {
		name string
		err  error
	})
	began := time.Now()
	todo := calls(s)
	for name, call := range todo {
		go func() {
			errs <- struct {
				name string
				err  error
			}{name, call(context.Background())}
		}()
	}
	found := map[string]error{}
	for range todo {
		e := <-errs
		found[e.name] = e.err
	}
	if took := time.Since(began); took > fast {
		t.Errorf("the answers took %s", took)
	}
	return found
}

// recovers fails unless everything works again within a moment.
func recovers(t *testing.T, s *store.Stores) {
	t.Helper()
	var last map[string]error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		failed := false
		last = all(t, s)
		for _, err := range last {
			failed = failed || err != nil
		}
		if !failed {
			return
		}
	}
	t.Errorf("it does not recover: %v", last)
}

// down fails unless every call says that the server is away, and none says how one gets in.
func down(t *testing.T, server *services.Server, s *store.Stores) {
	t.Helper()
	for name, err := range all(t, s) {
		if err == nil {
			t.Errorf("%s works without a server", name)
		} else if strings.Contains(err.Error(), server.Password()) {
			t.Errorf("%s shows the password: %v", name, err)
		}
	}
}

func TestOutage(t *testing.T) {
	server := services.Postgres(t, "fsync=off")
	s := open(t, postgres.New(), server.URL(), time.Now)
	recovers(t, s)

	var told atomic.Int64
	watching, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for watching.Err() == nil {
			if s.Watch(watching) == nil {
				told.Add(1)
			}
		}
	}()
	defer func() { stop(); <-ended }()

	server.Kill(t)
	down(t, server, s)
	server.Start(t)
	recovers(t, s)
	server.Stop(t)
	down(t, server, s)
	server.Start(t)
	recovers(t, s)
	server.Pause(t) // answers nothing and refuses nothing
	down(t, server, s)
	server.Resume(t)
	recovers(t, s)

	other := open(t, postgres.New(), server.URL(), time.Now)
	for before, n := told.Load(), 0; told.Load() == before; n++ { // it listens again
		items := []store.Revocation{{Sub: "x", RevokedAt: time.Now().Unix(), Exp: time.Now().Unix() + int64(n)}}
		if _, err := other.Revocations.Add(t.Context(), items); err != nil {
			t.Fatal(err)
		}
	}
}

// A server that starts while PostgreSQL is away says so, soon.
func TestOpenWithoutServer(t *testing.T) {
	server := services.Postgres(t, "fsync=off")
	for name, away := range map[string]func(testing.TB){"stopped": server.Stop, "paused": server.Pause} {
		t.Run(name, func(t *testing.T) {
			away(t)
			ctx, cancel := context.WithTimeout(t.Context(), fast)
			defer cancel()
			_, err := postgres.New().Open(ctx, config(t, server.URL(), time.Now))
			if err == nil || ctx.Err() != nil || strings.Contains(err.Error(), server.Password()) {
				t.Errorf("got %v", err)
			}
			if name == "paused" {
				server.Resume(t)
				return
			}
			server.Start(t)
		})
	}
}
