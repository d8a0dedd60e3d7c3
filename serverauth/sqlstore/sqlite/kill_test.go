package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func TestKill(t *testing.T) {
	storetest.Kill(t, storetest.Victim{
		URL:  filepath.Join(t.TempDir(), "auth.db"),
		Open: func(tb testing.TB, url string) *store.Stores { return open(tb, sqlite.New(), url, time.Now) },
	})
}
