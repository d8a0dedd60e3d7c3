package sqlite_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func config(url string, clock app.Clock) store.BackendConfig {
	return store.BackendConfig{
		URL: url, AccessTokenTTL: 15 * time.Minute, ClockSkew: time.Minute, Clock: clock, Log: slog.New(slog.DiscardHandler),
	}
}

func open(tb testing.TB, backend store.Backend, path string, clock app.Clock) *store.Stores {
	tb.Helper()
	stores, err := backend.Open(tb.Context(), config("sqlite:"+path, clock))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := stores.Close(); err != nil {
			tb.Error(err)
		}
	})
	return stores
}

func TestStores(t *testing.T) {
	storetest.Backend(t, fresh)
}

func fresh(tb testing.TB, clock app.Clock) storetest.Storage[*store.Stores] {
	dir, copies := tb.TempDir(), 0
	path := filepath.Join(dir, "0", "picoauth.db")
	broken := &faults{}
	copied := func(tb testing.TB) string {
		copies++
		next := filepath.Join(dir, strconv.Itoa(copies), "picoauth.db")
		if err := os.Mkdir(filepath.Dir(next), 0o700); err != nil {
			tb.Fatal(err)
		}
		for _, suffix := range []string{"", "-wal"} {
			data, err := os.ReadFile(path + suffix)
			if err != nil {
				tb.Fatal(err)
			}
			if err := os.WriteFile(next+suffix, data, 0o600); err != nil {
				tb.Fatal(err)
			}
		}
		return next
	}
	return storetest.Storage[*store.Stores]{
		Faults: broken,
		Open: func(tb testing.TB) *store.Stores {
			return open(tb, sqlite.Wrapped(broken.wrap), path, clock)
		},
		// A machine that loses its power leaves the files as they are: with a log that nobody has merged.
		Crash: func(tb testing.TB) { path = copied(tb) },
		Copy: func(tb testing.TB) func() {
			before := copied(tb)
			return func() { path = before }
		},
		Used: func(tb testing.TB) (size int64) {
			for _, suffix := range []string{"", "-wal"} {
				file, err := os.Stat(path + suffix)
				if err != nil {
					tb.Fatal(err)
				}
				size += file.Size()
			}
			return size
		},
	}
}
