package redisstore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func TestConformance(t *testing.T) {
	server := services.Redis(t)
	storetest.Backend(t, func(tb testing.TB, clock app.Clock) storetest.Storage[*store.Stores] {
		faults := &storetest.NetFaults{}
		backend := redisstore.NewWithDialer(faults.Dialer((&net.Dialer{}).DialContext), 0)
		url := server.NewDatabase(tb)
		c := with(config(tb, url), clock)
		return storetest.Storage[*store.Stores]{
			Open: func(tb testing.TB) *store.Stores { return open(tb, backend, c) },
			// The server is killed, and has to read what it has written.
			Crash: server.Restart, Faults: faults, Expires: true, OwnClock: true,
			Copy: func(tb testing.TB) func() { return copyKeys(tb, client(tb, url)) },
		}
	})
}

// cluster starts a cluster of one node.
func cluster(t *testing.T) (*services.Server, *redis.Client) {
	t.Helper()
	server := services.Redis(t, "cluster-enabled=yes", "databases=1")
	admin := client(t, server.URL())
	if err := admin.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for info := ""; !strings.Contains(info, "cluster_state:ok"); {
		var err error
		if info, err = admin.ClusterInfo(t.Context()).Result(); err != nil {
			t.Fatal(err)
		}
	}
	return server, admin
}

// In a cluster a script whose keys are not all in one slot is refused.
func TestConformanceOfCluster(t *testing.T) {
	cluster := services.NewRedisCluster(t)
	nodes := make([]*redis.Client, len(cluster))
	for i, node := range cluster {
		nodes[i] = client(t, node.URL())
	}
	storetest.Backend(t, func(tb testing.TB, clock app.Clock) storetest.Storage[*store.Stores] {
		for _, node := range nodes {
			if err := node.FlushAll(context.Background()).Err(); err != nil {
				tb.Fatal(err)
			}
		}
		faults := &storetest.NetFaults{}
		backend := redisstore.NewWithDialer(faults.Dialer((&net.Dialer{}).DialContext), 0)
		c := with(config(tb, cluster.URL()), clock)
		return storetest.Storage[*store.Stores]{
			Open:   func(tb testing.TB) *store.Stores { return open(tb, backend, c) },
			Faults: faults, Expires: true, OwnClock: true,
			Copy: func(tb testing.TB) func() {
				var putBack []func()
				for _, node := range nodes {
					putBack = append(putBack, copyKeys(tb, node))
				}
				return func() {
					for _, one := range putBack {
						one()
					}
				}
			},
		}
	})
}

// The kinds of stores spread over a cluster, and a user of the cluster sees them from any node of its list.
func TestClusterSpreads(t *testing.T) {
	cluster := services.NewRedisCluster(t)
	use(t, open(t, redisstore.New(), config(t, cluster.URL())))
	used := 0
	for _, node := range cluster {
		if client(t, node.URL()).DBSize(t.Context()).Val() > 0 {
			used++
		}
		stores := open(t, redisstore.New(), config(t, node.URL())) // one of the nodes, as if it were a server alone
		if err := stores.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		use(t, stores)
	}
	if used < 2 {
		t.Errorf("%d of %d nodes have something", used, len(cluster))
	}
}

// Behind a sentinel everything is as it is at the master.
func TestConformanceOfSentinel(t *testing.T) {
	replicated, database := services.RedisSentinel(t), 0
	storetest.Backend(t, func(tb testing.TB, clock app.Clock) storetest.Storage[*store.Stores] {
		database++
		faults := &storetest.NetFaults{}
		backend := redisstore.NewWithDialer(faults.Dialer((&net.Dialer{}).DialContext), 0)
		c := with(config(tb, replicated.URL(database)), clock)
		master := client(tb, replicated.Master.URL()+"/"+strconv.Itoa(database))
		return storetest.Storage[*store.Stores]{
			Open:   func(tb testing.TB) *store.Stores { return open(tb, backend, c) },
			Faults: faults, Expires: true, OwnClock: true,
			Copy: func(tb testing.TB) func() { return copyKeys(tb, master) },
		}
	})
}

// copyKeys copies all keys, and returns what puts them back.
func copyKeys(tb testing.TB, admin *redis.Client) (putBack func()) {
	tb.Helper()
	ctx := context.Background()
	dumps := make(map[string]string)
	lives := make(map[string]time.Duration)
	for _, key := range admin.Keys(ctx, "*").Val() {
		dump, err := admin.Dump(ctx, key).Result()
		if err != nil {
			tb.Fatal(err)
		}
		dumps[key], lives[key] = dump, max(admin.PTTL(ctx, key).Val(), 0)
	}
	return func() {
		if err := admin.FlushDB(ctx).Err(); err != nil {
			tb.Fatal(err)
		}
		for key, dump := range dumps {
			if err := admin.Restore(ctx, key, lives[key], dump).Err(); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// endingConn ends, as by a server that goes away, instead of giving the next answer.
type endingConn struct {
	net.Conn
	ends *atomic.Bool
}

func (c endingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.ends.CompareAndSwap(true, false) {
		return 0, errors.Join(io.EOF, c.Close())
	}
	return n, err
}

// The client's library would send most calls again whose answer was lost. Here they have happened, and say that it is
// not known.
func TestNothingIsSentTwice(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *services.Server{
		"server":  func(t *testing.T) *services.Server { return services.Redis(t) },
		"cluster": func(t *testing.T) *services.Server { server, _ := cluster(t); return server },
	} {
		t.Run(name, func(t *testing.T) {
			var ends atomic.Bool
			dial := func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return endingConn{conn, &ends}, err
			}
			stores := open(t, redisstore.NewWithDialer(dial, 0), config(t, start(t).URL()))
			use(t, stores) // the scripts are there
			nonce := create(t, stores.Challenges)
			head, err := stores.Mints.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			rows := mintRows(head.Seq, 1)

			ends.Store(true)
			if won, err := stores.Challenges.Validate(t.Context(), "address", nonce); won || err == nil {
				t.Errorf("accepted: %v, %v", won, err)
			}
			spends(t, stores.Challenges, nonce, false)
			ends.Store(true)
			if _, appended, err := stores.Mints.Append(t.Context(), head, rows); appended || err == nil {
				t.Errorf("appended: %v, %v", appended, err)
			}
			if now, err := stores.Mints.Head(t.Context()); err != nil || now != rows[0].Head() {
				t.Errorf("the head is %v, %v", now, err)
			}
		})
	}
}
