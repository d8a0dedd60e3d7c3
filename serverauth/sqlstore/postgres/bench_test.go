package postgres_test

import (
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/testutil/services"
	"github.com/picoauth/picoauth/testutil/storetest"
)

// BenchmarkStores has the server write to the disk as it does for users.
func BenchmarkStores(b *testing.B) {
	server := services.Postgres(b)
	storetest.Benchmark(b, func(tb testing.TB, clock app.Clock) storetest.Storage[*serverauth.Stores] {
		url := server.NewDatabase(tb)
		return storetest.Storage[*serverauth.Stores]{
			Open: func(tb testing.TB) *serverauth.Stores { return open(tb, postgres.New(), url, clock) },
		}
	})
}
