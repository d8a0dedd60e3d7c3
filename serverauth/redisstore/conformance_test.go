package redisstore_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil/services"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func TestConformance(t *testing.T) {
	server := services.Redis(t)
	storetest.Backend(t, func(tb testing.TB, clock app.Clock) storetest.Storage[*serverauth.Stores] {
		faults := &storetest.NetFaults{}
		backend := redisstore.NewWithDialer(faults.Dialer((&net.Dialer{}).DialContext), 0)
		c := with(config(tb, server.NewDatabase(tb)), clock)
		return storetest.Storage[*serverauth.Stores]{
			Open: func(tb testing.TB) *serverauth.Stores { return open(tb, backend, c) },
			// The server is killed, and has to read what it has written.
			Crash: server.Restart, Faults: faults, Expires: true,
		}
	})
}

// In a cluster a script whose keys are not all in one slot is refused.
func TestConformanceOfCluster(t *testing.T) {
	server := services.Redis(t, "cluster-enabled=yes", "databases=1")
	admin := client(t, server.URL())
	ctx := context.Background()
	if err := admin.ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for info := ""; !strings.Contains(info, "cluster_state:ok"); {
		var err error
		if info, err = admin.ClusterInfo(ctx).Result(); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Backend(t, func(tb testing.TB, clock app.Clock) storetest.Storage[*serverauth.Stores] {
		if err := admin.FlushAll(ctx).Err(); err != nil {
			tb.Fatal(err)
		}
		faults := &storetest.NetFaults{}
		backend := redisstore.NewWithDialer(faults.Dialer((&net.Dialer{}).DialContext), 0)
		c := with(config(tb, server.URL()), clock)
		return storetest.Storage[*serverauth.Stores]{
			Open:   func(tb testing.TB) *serverauth.Stores { return open(tb, backend, c) },
			Faults: faults, Expires: true,
		}
	})
}
