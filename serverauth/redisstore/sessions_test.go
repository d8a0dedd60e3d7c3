package redisstore_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil/services"
)

// forEach makes n calls, some at a time, and fails for an error.
func forEach(tb testing.TB, n int, call func(i int) error) {
	tb.Helper()
	const workers = 16
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				if err := call(i); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func createAll(tb testing.TB, store serverauth.SessionStore, n int, row func(i int) serverauth.Session) {
	tb.Helper()
	forEach(tb, n, func(i int) error {
		cutOff, err := store.Create(tb.Context(), row(i))
		if cutOff != 0 {
			tb.Errorf("refused as of %d", cutOff)
		}
		return err
	})
}

// A subject may have more sessions than one step ends.
func TestSubjectOfManySessions(t *testing.T) {
	server := services.Redis(t, "appendonly=no")
	store := open(t, redisstore.New(), config(t, server.URL())).Sessions
	now := time.Now().UnixMilli()
	const n = redisstore.EndBatch + 100
	createAll(t, store, n, func(i int) serverauth.Session { return session(fmt.Sprint("sid-", i), now) })
	row := session("", now)
	ended, err := store.EndSubject(t.Context(), []string{row.Subject.ID, row.Subject.WalletID}, now)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, row := range ended {
		seen[row.ID] = true
	}
	if len(ended) != n || len(seen) != n {
		t.Errorf("ended %d, %d of them different, of %d", len(ended), len(seen), n)
	}
	if keys := client(t, server.URL()).Keys(t.Context(), "{picoauth:sessions}:[br]*").Val(); len(keys) != 0 {
		t.Errorf("%d keys are left", len(keys))
	}
}

// Redis forgets every key by itself, and no index before what it is of.
func TestSessionsExpire(t *testing.T) {
	server := services.Redis(t)
	store := open(t, redisstore.New(), config(t, server.URL())).Sessions
	admin := client(t, server.URL())
	ctx := t.Context()
	now := time.Now().UnixMilli()
	const minute = 60_000
	long, short := session("long", now), session("short", now)
	long.ExpiresAt, short.ExpiresAt = now+60*minute, now+30*minute
	createAll(t, store, 2, func(i int) serverauth.Session { return []serverauth.Session{long, short}[i] })
	lives := func(key string, want time.Duration) {
		t.Helper()
		const slack = 10 * time.Second
		if ttl := admin.PTTL(ctx, "{picoauth:sessions}:"+key).Val(); ttl > want || ttl < want-slack {
			t.Errorf("%s is forgotten after %s, not %s", key, ttl, want)
		}
	}
	settings := serverauth.DefaultServerAuthSettings()
	keep := settings.AccessTokenTTL() + settings.ClockSkew() + time.Minute
	lives("row:long", time.Hour+keep)
	lives("row:short", time.Hour/2+keep)
	lives("by:"+long.Subject.ID, time.Hour+keep)
	lives("by:"+long.Subject.WalletID, time.Hour+keep)
	_, outcome, err := store.Rotate(ctx, serverauth.Rotation{SessionID: "short", Counter: 1, Now: now, TTL: 120 * minute})
	if err != nil || outcome != serverauth.SessionRotated {
		t.Fatalf("outcome %d, %v", outcome, err)
	}
	lives("row:short", 2*time.Hour+keep)
	lives("by:"+long.Subject.ID, 2*time.Hour+keep)
	if _, err := store.EndSubject(ctx, []string{"nobody"}, now+minute); err != nil {
		t.Fatal(err)
	}
	lives("cut:nobody", 2*time.Hour+time.Minute)
	for _, sid := range []string{"long", "short"} {
		if _, there, err := store.End(ctx, sid); err != nil || !there {
			t.Errorf("there: %v, %v", there, err)
		}
	}
	if keys := admin.Keys(ctx, "{picoauth:sessions}:[br]*").Val(); len(keys) != 0 {
		t.Errorf("%v are left", keys)
	}
}

// A session that Redis has forgotten leaves its index with the next one of the subject.
func TestIndexForgets(t *testing.T) {
	server := services.Redis(t)
	store := open(t, redisstore.New(), config(t, server.URL())).Sessions
	admin := client(t, server.URL())
	now := time.Now().UnixMilli()
	row := session("sid", now)
	index := "{picoauth:sessions}:by:" + row.Subject.ID
	if err := admin.ZAdd(t.Context(), index, redis.Z{Score: float64(now - 1), Member: "old"}).Err(); err != nil {
		t.Fatal(err)
	}
	createAll(t, store, 1, func(int) serverauth.Session { return row })
	if sids := admin.ZRange(t.Context(), index, 0, -1).Val(); len(sids) != 1 || sids[0] != "sid" {
		t.Errorf("the index has %v", sids)
	}
}

func TestDamagedSession(t *testing.T) {
	server := services.Redis(t)
	store := open(t, redisstore.New(), config(t, server.URL())).Sessions
	if err := client(t, server.URL()).Set(t.Context(), "{picoauth:sessions}:row:sid", "1 2 3 4 5 6 damaged", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, there, err := store.End(t.Context(), "sid"); err == nil || there {
		t.Errorf("there: %v, %v", there, err)
	}
}
