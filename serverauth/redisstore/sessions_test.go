package redisstore_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	authstore "github.com/picoauth/picoauth/serverauth/store"
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

func createAll(tb testing.TB, store authstore.SessionStore, n int, row func(i int) authstore.Session) {
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
	createAll(t, store, n, func(i int) authstore.Session { return session(fmt.Sprint("sid-", i), now) })
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
	if keys := client(t, server.URL()).Keys(t.Context(), "{picoauth:sessions}:[bs]*").Val(); len(keys) != 0 {
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
	createAll(t, store, 2, func(i int) authstore.Session { return []authstore.Session{long, short}[i] })
	lives := func(key string, want time.Duration) {
		t.Helper()
		const slack = 10 * time.Second
		if ttl := admin.PTTL(ctx, "{picoauth:sessions}:"+key).Val(); ttl > want || ttl < want-slack {
			t.Errorf("%s is forgotten after %s, not %s", key, ttl, want)
		}
	}
	settings := serverauth.DefaultServerAuthSettings()
	keep := settings.AccessTokenTTL() + settings.ClockSkew() + time.Minute
	lives("session:long", time.Hour+keep)
	lives("session:short", time.Hour/2+keep)
	lives("by:"+long.Subject.ID, time.Hour+keep)
	lives("by:"+long.Subject.WalletID, time.Hour+keep)
	_, outcome, err := store.Rotate(ctx, authstore.Rotation{SessionID: "short", Counter: 1, Now: now, TTL: 120 * minute})
	if err != nil || outcome != authstore.SessionRotated {
		t.Fatalf("outcome %d, %v", outcome, err)
	}
	lives("session:short", 2*time.Hour+keep)
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
	if keys := admin.Keys(ctx, "{picoauth:sessions}:[bs]*").Val(); len(keys) != 0 {
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
	createAll(t, store, 1, func(int) authstore.Session { return row })
	if sids := admin.ZRange(t.Context(), index, 0, -1).Val(); len(sids) != 1 || sids[0] != "sid" {
		t.Errorf("the index has %v", sids)
	}
}

// A damaged row, and one that was copied to another session's place, is a session of which nothing is known, and no error.
// A row that was written before contract wallets were known is read and rotated like any other.
func TestSessionOfBefore(t *testing.T) {
	server := services.Redis(t)
	store := open(t, redisstore.New(), config(t, server.URL())).Sessions
	admin := client(t, server.URL())
	now := time.Now().UnixMilli()
	want := session("sid", now)
	createAll(t, store, 1, func(int) authstore.Session { return want })
	const key = "{picoauth:sessions}:session:sid"
	before := strings.Replace(admin.Get(t.Context(), key).Val(), ",0 ", " ", 1)
	if err := admin.Set(t.Context(), key, before, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if found, there, err := store.Find(t.Context(), "sid"); err != nil || !there || found != want {
		t.Errorf("there: %v, %+v, %v", there, found, err)
	}
	for _, checked := range []int64{0, now, 0} {
		if checked != 0 {
			want.CheckedAt = checked
		}
		r := authstore.Rotation{SessionID: "sid", Counter: want.Counter, Now: now, TTL: 1000, CheckedAt: checked}
		found, outcome, err := store.Rotate(t.Context(), r)
		if err != nil || outcome != authstore.SessionRotated || found.CheckedAt != want.CheckedAt || found.MAC != want.MAC {
			t.Fatalf("rotated: %d, %+v, %v", outcome, found, err)
		}
		want = found
	}
}

func TestDamagedSession(t *testing.T) {
	server := services.Redis(t)
	store := open(t, redisstore.New(), config(t, server.URL())).Sessions
	admin := client(t, server.URL())
	now := time.Now().UnixMilli()
	createAll(t, store, 1, func(int) authstore.Session { return session("other", now) })
	row := admin.Get(t.Context(), "{picoauth:sessions}:session:other").Val()
	damaged := authstore.Session{ID: "sid"}
	for _, text := range []string{"1 2 3 4 5 6 damaged", "", "0 0 9999999999999 9999999999999 0 0 0 x", row} {
		for _, member := range []string{"by:subject", "by:wallet"} {
			if err := admin.ZAdd(t.Context(), "{picoauth:sessions}:"+member, redis.Z{Score: float64(now), Member: "sid"}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := admin.Set(t.Context(), "{picoauth:sessions}:session:sid", text, 0).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := store.List(t.Context(), authstore.SessionQuery{ID: "sid", Now: now, Limit: 1})
		if err != nil || len(got) != 1 || got[0] != damaged {
			t.Errorf("listed %+v, %v", got, err)
		}
		found, outcome, err := store.Rotate(t.Context(), authstore.Rotation{SessionID: "sid", Counter: 1, Now: now, TTL: 1000})
		if err != nil || outcome == authstore.SessionAbsent || found != damaged {
			t.Errorf("rotated: %d, %+v, %v", outcome, found, err)
		}
		found, there, err := store.End(t.Context(), "sid")
		if err != nil || !there || found != damaged {
			t.Errorf("there: %v, %+v, %v", there, found, err)
		}
	}
	if err := admin.Set(t.Context(), "{picoauth:sessions}:session:sid", "damaged", 0).Err(); err != nil {
		t.Fatal(err)
	}
	ended, err := store.EndSubject(t.Context(), []string{"subject"}, now)
	if err != nil || len(ended) == 0 || ended[0] != damaged {
		t.Errorf("ended %+v, %v", ended, err)
	}
}

// What Redis has forgotten leaves the list of all sessions.
func TestListForgets(t *testing.T) {
	server := services.Redis(t)
	store := open(t, redisstore.New(), config(t, server.URL())).Sessions
	admin := client(t, server.URL())
	now := time.Now().UnixMilli()
	const n = redisstore.PruneBatch + 10
	createAll(t, store, n, func(i int) authstore.Session {
		row := session(fmt.Sprint("sid-", i), now)
		row.ExpiresAt = now + 60_000
		return row
	})
	for i := range n - 1 {
		if err := admin.Del(t.Context(), fmt.Sprint("{picoauth:sessions}:session:sid-", i)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if removed, err := store.Prune(t.Context(), now, 1000); removed != 0 || err != nil {
			t.Fatalf("removed %d, %v", removed, err)
		}
	}
	if left := admin.ZCard(t.Context(), "{picoauth:sessions}:all").Val(); left != 1 {
		t.Errorf("%d are left", left)
	}
}
