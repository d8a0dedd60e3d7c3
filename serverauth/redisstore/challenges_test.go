package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

func isFull(err error) bool { return errors.Is(err, store.ErrTooManyPending) }

func create(t *testing.T, store store.ChallengeStore) string {
	t.Helper()
	nonce, err := store.Create(t.Context(), "address", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return nonce
}

func spends(t *testing.T, store store.ChallengeStore, nonce string, want bool) {
	t.Helper()
	if won, err := store.Validate(t.Context(), "address", nonce); err != nil || won != want {
		t.Errorf("accepted: %v, %v", won, err)
	}
}

// A database that has forgotten everything accepts no nonce of before, spent or not, and the processes agree again.
func TestForgottenChallenges(t *testing.T) {
	server := services.Redis(t)
	stores, other := open(t, redisstore.New(), config(t, server.URL())), open(t, redisstore.New(), config(t, server.URL()))
	spent, unspent := create(t, stores.Challenges), create(t, other.Challenges)
	spends(t, stores.Challenges, spent, true)
	if err := client(t, server.URL()).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	spends(t, stores.Challenges, spent, false)
	spends(t, other.Challenges, unspent, false)
	if _, err := other.Challenges.Cleanup(t.Context()); err != nil {
		t.Fatal(err)
	}
	spends(t, stores.Challenges, create(t, other.Challenges), true)
	spends(t, other.Challenges, create(t, stores.Challenges), true)
}

// A challenge costs Redis nothing until it is spent, and then is forgotten a while after its expiry, so that the clocks of
// processes may differ.
func TestSpentChallengesExpire(t *testing.T) {
	server := services.Redis(t)
	clock := testutil.NewClock(time.Now())
	stores := open(t, redisstore.New(), with(config(t, server.URL()), clock.Now))
	admin := client(t, server.URL())
	var nonce string
	for range 100 {
		nonce = create(t, stores.Challenges)
	}
	if n := admin.DBSize(t.Context()).Val(); n != 2 {
		t.Errorf("%d keys instead of the one that makes nonces and the clock", n)
	}
	clock.Advance(10 * time.Second)
	spends(t, stores.Challenges, nonce, true)
	spent := admin.Keys(t.Context(), "{picoauth:challenges}:spent:*").Val()
	if len(spent) != 1 {
		t.Fatalf("%d keys for a spent nonce", len(spent))
	}
	want := 50*time.Second + config(t, "").ClockSkew + 2*time.Minute
	if ttl := admin.PTTL(t.Context(), spent[0]).Val(); ttl > want || ttl < want-10*time.Second {
		t.Errorf("it is remembered for %s, not %s", ttl, want)
	}
}

func TestDamagedChallengeKey(t *testing.T) {
	server := services.Redis(t)
	stores := open(t, redisstore.New(), config(t, server.URL()))
	if err := client(t, server.URL()).Set(t.Context(), "{picoauth:challenges}:key", "short", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := stores.Challenges.Create(t.Context(), "address", time.Minute); err == nil {
		t.Error("a nonce was made with a damaged key")
	}
}
