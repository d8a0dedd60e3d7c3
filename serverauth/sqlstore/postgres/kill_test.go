package postgres_test

import (
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func openURL(tb testing.TB, url string) *store.Stores {
	tb.Helper()
	return open(tb, postgres.New(), url, time.Now)
}

func TestKillProcess(t *testing.T) {
	url := ""
	if !storetest.IsVictim() {
		url = services.Postgres(t).URL()
	}
	storetest.Kill(t, storetest.Victim{URL: url, Open: openURL})
}

func TestKillServer(t *testing.T) {
	victim := storetest.Victim{Open: openURL}
	if !storetest.IsVictim() {
		server := services.Postgres(t)
		victim.URL, victim.Kill = server.URL(), server.Restart
	}
	storetest.Kill(t, victim)
}
