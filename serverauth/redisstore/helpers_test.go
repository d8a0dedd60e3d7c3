package redisstore_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/store"
)

const encryptionKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// config is what a backend opens a URL with; a test may change it.
func config(tb testing.TB, url string) store.BackendConfig {
	tb.Helper()
	key, err := keys.ParseEncryptionKey(encryptionKey)
	if err != nil {
		tb.Fatal(err)
	}
	return store.BackendConfig{
		URL: url, AccessTokenTTL: 15 * time.Minute, ClockSkew: time.Minute, EncryptionKey: key, Clock: time.Now,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// open opens stores, which end with the test.
func open(tb testing.TB, backend *redisstore.Backend, c store.BackendConfig) *store.Stores {
	tb.Helper()
	stores, err := backend.Open(context.Background(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := stores.Close(); err != nil {
			tb.Error(err)
		}
	})
	return stores
}

// client returns a client of the test's own.
func client(tb testing.TB, url string) *redis.Client {
	tb.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	c := redis.NewClient(o)
	tb.Cleanup(func() { c.Close() })
	return c
}

func with(c store.BackendConfig, clock app.Clock) store.BackendConfig {
	c.Clock = clock
	return c
}

// use calls every method that writes or reads, and fails for an error.
func use(tb testing.TB, stores *store.Stores) {
	tb.Helper()
	for name, err := range calls(context.Background(), stores) {
		if err != nil {
			tb.Errorf("%s: %v", name, err)
		}
	}
}

// calls makes one call of each kind and returns their errors.
func calls(ctx context.Context, stores *store.Stores) map[string]error {
	errs := make(map[string]error)
	nonce, err := stores.Challenges.Create(ctx, "address", time.Minute)
	if err == nil {
		_, err = stores.Challenges.Validate(ctx, "address", nonce)
	}
	errs["Validate"] = err
	now := time.Now().UnixMilli()
	row := session("sid", now)
	_, errs["Create"] = stores.Sessions.Create(ctx, row)
	_, _, errs["Rotate"] = stores.Sessions.Rotate(ctx, store.Rotation{SessionID: row.ID, Counter: row.Counter, Now: now, TTL: 1000})
	_, _, errs["End"] = stores.Sessions.End(ctx, row.ID)
	_, errs["EndSubject"] = stores.Sessions.EndSubject(ctx, []string{"nobody"}, now)
	_, errs["Add"] = stores.Revocations.Add(ctx, []store.Revocation{{JTI: "jti", Exp: now}})
	_, errs["Since"] = stores.Revocations.Since(ctx, 0, 0, 5000)
	_, errs["Prune"] = stores.Revocations.Prune(ctx, 1, 10)
	_, _, errs["Append"] = stores.Mints.Append(ctx, audit.Head{}, []audit.Entry{{Seq: 1}})
	_, errs["Head"] = stores.Mints.Head(ctx)
	_, errs["Live"] = stores.Mints.Live(ctx, "jti", "", "", 0)
	_, errs["Walk"] = stores.Mints.Walk(ctx, 0, 10)
	_, errs["Latest"] = stores.Mints.Latest(ctx, audit.Query{Limit: 10})
	_, errs["Load"] = stores.Keys.Load(ctx)
	errs["Update"] = stores.Keys.Update(ctx, func(records []keys.Record) ([]keys.Record, error) { return records, nil })
	return errs
}

// session is a session that begins now, of the n-th wallet.
func session(sid string, now int64) store.Session {
	return store.Session{
		ID: sid, Subject: store.Subject{
			ID: "0x52908400098527886E0F7030069857D2E4169EE7", Kind: store.KindWallet, Algorithm: "eip191",
			WalletID: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", Account: "eip155:1:0x52908400098527886E0F7030069857D2E4169EE7",
		},
		Counter: 1, StartedAt: now, RotatedAt: now, ExpiresAt: now + 7*24*3600_000, EndsAt: now + 90*24*3600_000,
	}
}
