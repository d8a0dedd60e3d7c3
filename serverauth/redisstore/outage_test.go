package redisstore_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

// fails calls everything while the server is away, and fails for a call that succeeds, that takes longer than most, or
// whose error shows the password.
func fails(t *testing.T, stores *store.Stores, password string, most time.Duration) {
	t.Helper()
	began := time.Now()
	errs := calls(t.Context(), stores)
	errs["Ready"] = stores.Ready(t.Context())
	if took := time.Since(began); took > most*time.Duration(len(errs)) {
		t.Errorf("%d calls took %s", len(errs), took)
	}
	for name, err := range errs {
		if err == nil {
			t.Errorf("%s succeeds", name)
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("%s shows the password", name)
		}
	}
}

// recovers calls until everything succeeds.
func recovers(t *testing.T, stores *store.Stores) {
	t.Helper()
	began := time.Now()
	for stores.Ready(t.Context()) != nil {
		if time.Since(began) > 10*time.Second {
			t.Fatal("it does not recover")
		}
	}
	t.Logf("ready after %s", time.Since(began))
	use(t, stores)
}

func TestOutage(t *testing.T) {
	server := services.Redis(t)
	var log bytes.Buffer
	c := config(t, server.URL()+"?read_timeout=100ms&write_timeout=100ms&dial_timeout=100ms&pool_timeout=100ms")
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	stores := open(t, redisstore.New(), c)
	use(t, stores)

	server.Kill(t)
	fails(t, stores, server.Password(), 200*time.Millisecond)
	server.Start(t)
	recovers(t, stores)

	server.Pause(t)
	fails(t, stores, server.Password(), time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := stores.Ready(ctx); err == nil {
		t.Error("a paused server is ready")
	}
	server.Resume(t)
	recovers(t, stores)
	if strings.Contains(log.String(), server.Password()) {
		t.Error("the log shows the password")
	}
}

// What was answered is there after the server was killed, for the very handles that were open.
func TestKilledServer(t *testing.T) {
	server := services.Redis(t)
	stores := open(t, redisstore.New(), config(t, server.URL()))
	ctx := t.Context()
	now := time.Now().UnixMilli()
	for n := range 5 {
		nonce := create(t, stores.Challenges)
		spends(t, stores.Challenges, nonce, true)
		row := session("sid", now)
		if _, err := stores.Sessions.Create(ctx, row); err != nil {
			t.Fatal(err)
		}
		item := store.Revocation{SID: strings.Repeat("x", n+1), Exp: now}
		if _, err := stores.Revocations.Add(ctx, []store.Revocation{item}); err != nil {
			t.Fatal(err)
		}
		server.Restart(t)
		for stores.Ready(ctx) != nil {
		}
		spends(t, stores.Challenges, nonce, false)
		if found, there, err := stores.Sessions.End(ctx, row.ID); err != nil || !there || found != row {
			t.Errorf("there: %v, %+v, %v", there, found, err)
		}
		page, err := stores.Revocations.Since(ctx, 0, 0, 5000)
		if err != nil || len(page.Items) != n+1 {
			t.Errorf("%d revocations, %v", len(page.Items), err)
		}
	}
}

// A server whose memory is full takes nothing more: a nonce is not spent, and the client is asked to try again.
func TestFullServer(t *testing.T) {
	server := services.Redis(t)
	stores := open(t, redisstore.New(), config(t, server.URL()))
	admin := client(t, server.URL())
	nonce := create(t, stores.Challenges)
	if err := admin.ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	if won, err := stores.Challenges.Validate(t.Context(), "address", nonce); won || !isFull(err) {
		t.Errorf("accepted: %v, %v", won, err)
	}
	if stores.Ready(t.Context()) == nil {
		t.Error("a full server is ready")
	}
	if _, err := stores.Challenges.Cleanup(t.Context()); err != nil {
		t.Error(err)
	}
	if err := admin.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	spends(t, stores.Challenges, nonce, true)
}
