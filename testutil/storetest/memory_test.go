package storetest_test

import (
	"runtime"
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func TestMemory(t *testing.T) { storetest.Backend(t, inMemory) }

func BenchmarkGrowth(b *testing.B) { storetest.BenchmarkGrowth(b, inMemory) }

func inMemory(tb testing.TB, clock app.Clock) storetest.Storage[*store.Stores] {
	challenges, err := serverauth.NewInMemoryChallengeStore(serverauth.DefaultServerAuthSettings(), clock)
	if err != nil {
		tb.Fatal(err)
	}
	stores := &store.Stores{
		Challenges: challenges, Sessions: store.NewInMemorySessionStore(), Revocations: store.NewInMemoryRevocationStore(clock),
		Mints: audit.NewMemoryStore(), Keys: keys.NewMemoryStore(), Links: store.NewInMemoryLinkStore(),
		Clients: store.NewInMemoryClientStore(), Used: store.NewInMemoryUsedStore(clock),
	}
	return storetest.Storage[*store.Stores]{
		Open: func(testing.TB) *store.Stores { return stores },
		Used: func(testing.TB) int64 {
			runtime.GC()
			runtime.GC() // what the first one found may end in the second
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			return int64(memory.HeapAlloc)
		},
	}
}
