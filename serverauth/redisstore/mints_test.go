package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

func recorder(t *testing.T, stores *store.Stores, clock *testutil.Clock) *audit.Recorder {
	t.Helper()
	r, err := audit.NewRecorder(audit.Config{
		Store: stores.Mints, Key: func() []byte { return make([]byte, audit.KeySize) }, Keep: 1, Clock: clock.Now, Log: config(t, "").Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func record(r *audit.Recorder, now time.Time, from, n int, life time.Duration) {
	for i := from; i < from+n; i++ {
		r.Record(audit.Mint{
			ID: fmt.Sprint("jti-", i), Subject: fmt.Sprint("subject-", i%10), IssuedAt: now.Unix(), ExpiresAt: now.Add(life).Unix(),
			Kind: store.KindWallet, SessionID: fmt.Sprint("sid-", i%100), WalletID: fmt.Sprint("wallet-", i%10),
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
	var broken *audit.Error
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
		admin.Set(ctx, "{picoauth:mints}:longest", "damaged", 0).Err(),
		admin.ZAdd(ctx, "{picoauth:mints}:jti:a", redis.Z{Score: 1e15, Member: "1"}).Err(),
		admin.ZAdd(ctx, "{picoauth:mints}:jti:b", redis.Z{Score: 1e15, Member: "damaged"}).Err(),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"head":    func() error { _, err := stores.Mints.Head(ctx); return err },
		"longest": func() error { _, err := stores.Mints.Longest(ctx); return err },
		"walk":    func() error { _, err := stores.Mints.Walk(ctx, 0, 10); return err },
		"latest":  func() error { _, err := stores.Mints.Latest(ctx, audit.Query{Limit: 10}); return err },
		"live a":  func() error { _, err := stores.Mints.Live(ctx, "a", "", "", 0); return err },
		"live b":  func() error { _, err := stores.Mints.Live(ctx, "b", "", "", 0); return err },
	} {
		if read() == nil {
			t.Errorf("%s reads what is damaged", name)
		}
	}
}

// Rows of the first version say nothing of how long their tokens live: as long as a token can, until they are known to.
func TestLongestLifeOfAnOlderAudit(t *testing.T) {
	server := services.Redis(t)
	stores := open(t, redisstore.New(), config(t, server.URL()))
	clock := testutil.NewClock(time.Now())
	r := recorder(t, stores, clock)
	record(r, clock.Now(), 0, 10, 15*time.Minute)
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if longest, err := stores.Mints.Longest(t.Context()); err != nil || longest != clock.Now().Add(15*time.Minute).Unix() {
		t.Errorf("the longest is %d, %v", longest, err)
	}
	if err := client(t, server.URL()).Del(t.Context(), "{picoauth:mints}:longest").Err(); err != nil {
		t.Fatal(err)
	}
	year := clock.Now().Add(366 * 24 * time.Hour).Unix()
	for range 2 { // before and after the next mint
		if longest, err := stores.Mints.Longest(t.Context()); err != nil || longest < year || longest > year+60 {
			t.Errorf("the longest is %d, not about %d, %v", longest, year, err)
		}
		record(r, clock.Now(), 10, 1, 15*time.Minute)
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
