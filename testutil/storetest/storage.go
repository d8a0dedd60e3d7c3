package storetest

import (
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Storage is a storage with nothing in it, as the processes that share it see it.
type Storage[Store any] struct {
	// Open returns a handle such as a further process has. A store in memory returns the one that there is.
	Open func(tb testing.TB) Store
	// Crash ends the processes of all handles, or the storage's own server, as kill -9 does. Old handles are not used
	// afterwards; what Open returns holds all that was answered before. nil for a store that ends with its process.
	Crash func(tb testing.TB)
	// Copy takes a copy of what is in the storage, and returns what puts it back: then the storage has lost what came after, as
	// a standby that takes over too early or a database that was restored. Old handles on a file are not used afterwards. nil where the
	// storage cannot go back but with its process.
	Copy func(tb testing.TB) (putBack func())
	// Faults breaks the way between the handles and the storage; nil where there is none.
	Faults Faults
	// Settle returns when nothing of a call that has returned is still on its way, such as a request whose caller's
	// context ended before the answer came; nil where that cannot be.
	Settle func(tb testing.TB)
	// Expires says that the storage forgets by itself, and by the machine's own time, what has expired: then Prune and
	// Cleanup need not find it, and marks may last longer than they must.
	Expires bool
	// OwnClock says that the storage has a clock of its own, which cannot be set: grace goes by it.
	OwnClock bool
	// Used returns how many bytes the storage takes, of memory or disk, as far as it says; nil where it does not. Only
	// BenchmarkGrowth asks.
	Used func(tb testing.TB) int64
}

// Fresh makes a storage whose stores go by the clock, which starts at the machine's own time. What it opens ends with the test.
type Fresh[Store any] func(tb testing.TB, clock app.Clock) Storage[Store]

// Faults breaks the way between handles and their storage.
type Faults interface {
	// Arm has one step fail, and the connection that it was on end: the n-th from now, 1 being the next, that any
	// handle takes. A step is whatever goes to the storage: a statement, a packet. With done the storage carries the step out
	// and its answer is lost; otherwise the step does not reach it.
	Arm(n int, done bool)
	// Disarm ends that, and tells whether the step came.
	Disarm() (struck bool)
}

// Backend runs the suite of every store that a backend's storage has.
func Backend(t *testing.T, fresh Fresh[*store.Stores]) {
	t.Helper()
	has := fresh(t, newClock().Now).Open(t)
	if has.Challenges != nil {
		t.Run("challenges", func(t *testing.T) {
			Challenges(t, role(fresh, func(s *store.Stores) store.ChallengeStore { return s.Challenges }))
		})
	}
	if has.Sessions != nil {
		t.Run("sessions", func(t *testing.T) {
			Sessions(t, role(fresh, func(s *store.Stores) store.SessionStore { return s.Sessions }))
		})
	}
	if has.Revocations != nil {
		t.Run("revocations", func(t *testing.T) {
			Revocations(t, role(fresh, func(s *store.Stores) store.RevocationStore { return s.Revocations }))
		})
	}
	if has.Mints != nil {
		t.Run("mints", func(t *testing.T) {
			Mints(t, role(fresh, func(s *store.Stores) audit.Store { return s.Mints }))
		})
	}
	if has.Keys != nil {
		t.Run("keys", func(t *testing.T) {
			Keys(t, role(fresh, func(s *store.Stores) keys.Store { return s.Keys }))
		})
	}
	if has.Links != nil {
		t.Run("links", func(t *testing.T) {
			Links(t, role(fresh, func(s *store.Stores) store.LinkStore { return s.Links }))
		})
	}
	if has.Clients != nil {
		t.Run("clients", func(t *testing.T) {
			Clients(t, role(fresh, func(s *store.Stores) store.ClientStore { return s.Clients }))
		})
	}
	if has.Used != nil {
		t.Run("used", func(t *testing.T) {
			Used(t, role(fresh, func(s *store.Stores) store.UsedStore { return s.Used }))
		})
	}
	t.Run("stores", func(t *testing.T) { stores(t, fresh) })
}

// role makes of a storage with all stores one with a single store.
func role[Store any](fresh Fresh[*store.Stores], pick func(*store.Stores) Store) Fresh[Store] {
	return func(tb testing.TB, clock app.Clock) Storage[Store] {
		all := fresh(tb, clock)
		return Storage[Store]{
			Open:  func(tb testing.TB) Store { return pick(all.Open(tb)) },
			Crash: all.Crash, Copy: all.Copy, Faults: all.Faults, Settle: all.Settle, Expires: all.Expires, OwnClock: all.OwnClock,
		}
	}
}

// test is one test of a suite, on a storage of its own.
type test[Store any] struct {
	name string
	run  func(e env[Store])
}

func run[Store any](t *testing.T, fresh Fresh[Store], tests []test[Store]) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clock := newClock()
			test.run(env[Store]{T: t, Storage: fresh(t, clock.Now), clock: clock})
		})
	}
}
