package storetest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/testutil/storetest"
)

// The folder of keys is restored as an operator does it: every file is put back, and those that came since are gone.
func TestKeyFiles(t *testing.T) {
	storetest.Keys(t, func(tb testing.TB, _ app.Clock) storetest.Storage[keys.Store] {
		dir := filepath.Join(tb.TempDir(), "keys")
		return storetest.Storage[keys.Store]{
			Open: func(tb testing.TB) keys.Store {
				store, err := keys.OpenFileStore(tb.Context(), dir, nil, nil)
				if err != nil {
					tb.Fatal(err)
				}
				return store
			},
			Copy: func(tb testing.TB) func() {
				before := contents(tb, dir)
				return func() {
					for name := range contents(tb, dir) {
						if _, known := before[name]; !known {
							if err := os.Remove(name); err != nil {
								tb.Fatal(err)
							}
						}
					}
					for name, data := range before {
						if err := os.WriteFile(name, data, 0o600); err != nil {
							tb.Fatal(err)
						}
					}
				}
			},
		}
	})
}

// contents returns the files of records.
func contents(tb testing.TB, dir string) map[string][]byte {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		tb.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, name := range names {
		if files[name], err = os.ReadFile(name); err != nil {
			tb.Fatal(err)
		}
	}
	return files
}
