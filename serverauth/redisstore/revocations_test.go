package redisstore_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

// A database that has forgotten everything goes on above what it had, and whoever followed it gets the whole list.
func TestForgottenRevocations(t *testing.T) {
	server := services.Redis(t)
	stores := open(t, redisstore.New(), config(t, server.URL()))
	ctx := t.Context()
	last := int64(0)
	for n := range 3 {
		items := make([]store.Revocation, 500)
		for i := range items {
			items[i] = store.Revocation{Sub: "subject", Exp: time.Now().Unix() + int64(i)}
		}
		if _, err := stores.Revocations.Add(ctx, items); err != nil {
			t.Fatal(err)
		}
		page, err := stores.Revocations.Since(ctx, last, 0, 5000)
		if err != nil || page.Seq < last+int64(len(items)) || !page.Full || len(page.Items) != len(items) {
			t.Errorf("round %d: %d items, full: %v, from %d to %d, %v", n, len(page.Items), page.Full, last, page.Seq, err)
		}
		last = page.Seq
		if err := client(t, server.URL()).FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		if page, err = stores.Revocations.Since(ctx, last, 0, 5000); err != nil || page.Seq < last || !page.Full || len(page.Items) != 0 {
			t.Errorf("round %d: %d items, full: %v, from %d to %d, %v", n, len(page.Items), page.Full, last, page.Seq, err)
		}
	}
}

func TestDamagedRevocation(t *testing.T) {
	server := services.Redis(t)
	stores := open(t, redisstore.New(), config(t, server.URL()))
	admin := client(t, server.URL())
	ctx := t.Context()
	item := revoke(t, stores, 1)
	number := admin.HGet(ctx, "{picoauth:revocations}:known", "jti:"+item.JTI).Val()
	admin.ZRemRangeByScore(ctx, "{picoauth:revocations}:log", number, number)
	score, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatal(err)
	}
	admin.ZAdd(ctx, "{picoauth:revocations}:log", redis.Z{Score: score, Member: number + " damaged"})
	if page, err := stores.Revocations.Since(ctx, 0, 0, 5000); err == nil {
		t.Errorf("got %+v", page)
	}
	if stored, err := stores.Revocations.Add(ctx, []store.Revocation{item}); err == nil {
		t.Errorf("got %+v", stored)
	}
	admin.HSet(ctx, "{picoauth:revocations}:state", "seq", "damaged")
	if page, err := stores.Revocations.Since(ctx, 0, 0, 5000); err == nil {
		t.Errorf("got %+v", page)
	}
}
