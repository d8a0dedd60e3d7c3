package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

// follower reads what is new whenever Watch says so, and at no other time.
type follower struct {
	stores *store.Stores
	seq    int64
}

func follow(t *testing.T, stores *store.Stores) *follower {
	t.Helper()
	f := &follower{stores: stores}
	f.next(t) // the subscription begins
	return f
}

func (f *follower) next(t *testing.T) []store.Revocation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := f.stores.Watch(ctx); err != nil {
		t.Fatal(err)
	}
	for {
		page, err := f.stores.Revocations.Since(ctx, f.seq, 0, 5000)
		switch {
		case err == nil:
			f.seq = page.Seq
			return page.Items
		case ctx.Err() != nil:
			t.Fatal(err)
		}
	}
}

// sees waits until an item comes.
func (f *follower) sees(t *testing.T, item store.Revocation) {
	t.Helper()
	for !slices.Contains(f.next(t), item) {
	}
}

func revoke(t *testing.T, stores *store.Stores, n int) store.Revocation {
	t.Helper()
	item := store.Revocation{JTI: fmt.Sprint("jti-", n), Exp: time.Now().Unix() + 3600}
	if _, err := stores.Revocations.Add(t.Context(), []store.Revocation{item}); err != nil {
		t.Fatal(err)
	}
	return item
}

// From the call that revokes to the moment at which another process has read it.
func TestWatchLatency(t *testing.T) {
	server := services.Redis(t)
	stores, other := open(t, redisstore.New(), config(t, server.URL())), open(t, redisstore.New(), config(t, server.URL()))
	f := follow(t, other)
	const rounds = 50
	took := make([]time.Duration, rounds)
	for n := range rounds {
		began := time.Now()
		item := revoke(t, stores, n)
		f.sees(t, item)
		took[n] = time.Since(began)
	}
	slices.Sort(took)
	t.Logf("median %s, 90%% %s, longest %s", took[rounds/2], took[rounds*9/10], took[rounds-1])
	if took[rounds*9/10] > 100*time.Millisecond {
		t.Errorf("it takes %v", took)
	}
}

// Whatever happens while there is no subscription is told when there is one again.
func TestWatchAfterLoss(t *testing.T) {
	server := services.Redis(t)
	stores, other := open(t, redisstore.New(), config(t, server.URL())), open(t, redisstore.New(), config(t, server.URL()))
	f := follow(t, other)
	f.sees(t, revoke(t, stores, 1))

	if err := client(t, server.URL()).ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	f.sees(t, revoke(t, stores, 2))

	server.Restart(t)
	for stores.Ready(t.Context()) != nil {
	}
	f.sees(t, revoke(t, stores, 3))
}

// muteConn is a connection that can be cut without a sign: what is written goes nowhere and nothing comes.
type muteConn struct {
	net.Conn
	mute *atomic.Bool
}

func (c *muteConn) Write(p []byte) (int, error) {
	if c.mute.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Read returns time-outs, and of what is on its way nothing.
func (c *muteConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.mute.Load() {
			return n, err
		}
	}
}

// A subscription whose connection is dead without a sign is replaced.
func TestWatchNoticesSilence(t *testing.T) {
	server := services.Redis(t)
	var mutes []*atomic.Bool
	var mu sync.Mutex
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		mu.Lock()
		defer mu.Unlock()
		mutes = append(mutes, new(atomic.Bool))
		return &muteConn{Conn: conn, mute: mutes[len(mutes)-1]}, err
	}
	stores := open(t, redisstore.New(), config(t, server.URL()))
	c := config(t, server.URL()+"?read_timeout=100ms") // the other connections are cut too
	f := follow(t, open(t, redisstore.NewWithDialer(dial, 20*time.Millisecond), c))
	f.sees(t, revoke(t, stores, 1))
	mu.Lock()
	for _, mute := range mutes {
		mute.Store(true)
	}
	mu.Unlock()
	f.sees(t, revoke(t, stores, 2))
}

// A database tells nobody of another one.
func TestWatchOfAnotherDatabase(t *testing.T) {
	server := services.Redis(t)
	stores, other := open(t, redisstore.New(), config(t, server.NewDatabase(t))), open(t, redisstore.New(), config(t, server.NewDatabase(t)))
	f := follow(t, other)
	revoke(t, stores, 1)
	if item := revoke(t, other, 2); !slices.Contains(f.next(t), item) {
		t.Error("it was told of another database")
	}
}
