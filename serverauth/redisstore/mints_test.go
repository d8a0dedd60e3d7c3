package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

func recorder(t *testing.T, stores *serverauth.Stores, clock *testutil.Clock) *serverauth.AuditRecorder {
	t.Helper()
	r, err := serverauth.NewAuditRecorder(serverauth.AuditConfig{
		Store: stores.Mints, Key: make([]byte, serverauth.AuditKeySize), Keep: 1, Clock: clock.Now, Log: config(t, "").Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func record(r *serverauth.AuditRecorder, now time.Time, from, n int, life time.Duration) {
	for i := from; i < from+n; i++ {
		r.Record(serverauth.Mint{
			ID: fmt.Sprint("jti-", i), Subject: fmt.Sprint("subject-", i%10), IssuedAt: now.Unix(), ExpiresAt: now.Add(life).Unix(),
			Kind: serverauth.KindWallet, SessionID: fmt.Sprint("sid-", i%100), WalletID: fmt.Sprint("wallet-", i%10),
		})
	}
}

// The audit of two processes is one chain, which stays whole when it is pruned, and shows who changes it.
func TestAuditChain(t *testing.T) {
	server := services.Redis(t)
	clock := testutil.NewClock(time.Now())
	one := recorder(t, open(t, redisstore.New(), config(t, server.URL())), clock)
	two := recorder(t, open(t, redisstore.New(), config(t, server.URL())), clock)
	ctx := t.Context()
	flush := func() {
		t.Helper()
		if err := errors.Join(one.Flush(ctx), two.Flush(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	const short, long = 2400, 30
	for i := range 3 {
		record(one, clock.Now(), i*short/3, short/6, 15*time.Minute)
		record(two, clock.Now(), i*short/3+short/6, short/6, 15*time.Minute)
		record(two, clock.Now(), short+i*long/3, long/3, 24*time.Hour)
		flush()
	}
	live, err := one.Live(ctx, "", "", "subject-3")
	if err != nil || len(live) != (short+long)/10 {
		t.Errorf("%d live mints, %v", len(live), err)
	}
	clock.Advance(time.Hour)
	removed, err := one.Prune(ctx)
	if err != nil || removed != short {
		t.Errorf("pruned %d, %v", removed, err)
	}
	report, err := two.Verify(ctx)
	if err != nil || report.Pruned < short || report.Mints != long {
		t.Errorf("%+v, %v", report, err)
	}
	if live, err = one.Live(ctx, "", "", "subject-3"); err != nil || len(live) != long/10 {
		t.Errorf("%d live mints, %v", len(live), err)
	}
	if err := client(t, server.URL()).ZRemRangeByRank(ctx, "{picoauth:mints}:rows", 3, 3).Err(); err != nil {
		t.Fatal(err)
	}
	var broken *serverauth.AuditError
	if _, err := two.Verify(ctx); !errors.As(err, &broken) {
		t.Errorf("a row is missing, and it says %v", err)
	}
}

// What finds a mint is forgotten by itself when its token has expired; the mint is not.
func TestMintIndexesExpire(t *testing.T) {
	server := services.Redis(t)
	stores := open(t, redisstore.New(), config(t, server.URL()))
	clock := testutil.NewClock(time.Now())
	r := recorder(t, stores, clock)
	record(r, clock.Now(), 0, 10, 15*time.Minute)
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	admin := client(t, server.URL())
	indexes := 0
	for _, kind := range []string{"jti", "sid", "sub"} {
		for _, key := range admin.Keys(t.Context(), "{picoauth:mints}:"+kind+":*").Val() {
			indexes++
			if ttl := admin.PTTL(t.Context(), key).Val(); ttl > 75*time.Minute || ttl < 74*time.Minute {
				t.Errorf("%s is forgotten after %s", key, ttl)
			}
		}
	}
	if indexes != 40 {
		t.Errorf("%d indexes", indexes)
	}
	if ttl := admin.TTL(t.Context(), "{picoauth:mints}:rows").Val(); ttl != -1 {
		t.Errorf("the mints are forgotten after %s", ttl)
	}
}

func TestDamagedMint(t *testing.T) {
	server := services.Redis(t)
	stores := open(t, redisstore.New(), config(t, server.URL()))
	admin := client(t, server.URL())
	ctx := context.Background()
	err := errors.Join(
		admin.ZAdd(ctx, "{picoauth:mints}:rows", redis.Z{Score: 1, Member: "damaged"}).Err(),
		admin.Set(ctx, "{picoauth:mints}:head", "damaged", 0).Err(),
		admin.ZAdd(ctx, "{picoauth:mints}:jti:a", redis.Z{Score: 1e15, Member: "1"}).Err(),
		admin.ZAdd(ctx, "{picoauth:mints}:jti:b", redis.Z{Score: 1e15, Member: "damaged"}).Err(),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"head":   func() error { _, err := stores.Mints.Head(ctx); return err },
		"walk":   func() error { _, err := stores.Mints.Walk(ctx, 0, 10); return err },
		"latest": func() error { _, err := stores.Mints.Latest(ctx, 10); return err },
		"live a": func() error { _, err := stores.Mints.Live(ctx, "a", "", "", 0); return err },
		"live b": func() error { _, err := stores.Mints.Live(ctx, "b", "", "", 0); return err },
	} {
		if read() == nil {
			t.Errorf("%s reads what is damaged", name)
		}
	}
}
