package sqlite_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func config(url string, clock app.Clock) serverauth.BackendConfig {
	return serverauth.BackendConfig{
		URL: url, Settings: serverauth.DefaultServerAuthSettings(), Clock: clock, Log: slog.New(slog.DiscardHandler),
	}
}

func open(tb testing.TB, backend serverauth.Backend, path string, clock app.Clock) *serverauth.Stores {
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

func fresh(tb testing.TB, clock app.Clock) storetest.Storage[*serverauth.Stores] {
	dir, crashes := tb.TempDir(), 0
	path := filepath.Join(dir, "0", "picoauth.db")
	broken := &faults{}
	return storetest.Storage[*serverauth.Stores]{
		Faults: broken,
		Open: func(tb testing.TB) *serverauth.Stores {
			return open(tb, sqlite.Wrapped(broken.wrap), path, clock)
		},
		// A machine that loses its power leaves the files as they are: with a log that nobody has merged.
		Crash: func(tb testing.TB) {
			crashes++
			next := filepath.Join(dir, strconv.Itoa(crashes), "picoauth.db")
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
			path = next
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
