package storetest_test

import (
	"runtime"
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func TestMemory(t *testing.T) { storetest.Backend(t, inMemory) }

func BenchmarkGrowth(b *testing.B) { storetest.BenchmarkGrowth(b, inMemory) }

func inMemory(tb testing.TB, clock app.Clock) storetest.Storage[*serverauth.Stores] {
	challenges, err := serverauth.NewInMemoryChallengeStore(serverauth.DefaultServerAuthSettings(), clock)
	if err != nil {
		tb.Fatal(err)
	}
	stores := &serverauth.Stores{
		Challenges: challenges, Sessions: serverauth.NewInMemorySessionStore(), Revocations: serverauth.NewInMemoryRevocationStore(clock),
		Mints: serverauth.NewInMemoryMintStore(), Keys: keys.NewMemoryStore(),
	}
	return storetest.Storage[*serverauth.Stores]{
		Open: func(testing.TB) *serverauth.Stores { return stores },
		Used: func(testing.TB) int64 {
			runtime.GC()
			runtime.GC() // what the first one found may end in the second
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			return int64(memory.HeapAlloc)
		},
	}
}
