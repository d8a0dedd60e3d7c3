package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
	"github.com/picoauth/picoauth/testutil/storetest"
)

// BenchmarkStores has the server write to the disk as it does for users.
func BenchmarkStores(b *testing.B) { storetest.Benchmark(b, durable(b)) }

func BenchmarkGrowth(b *testing.B) { storetest.BenchmarkGrowth(b, durable(b)) }

func durable(b *testing.B) storetest.Fresh[*store.Stores] {
	server := services.Postgres(b)
	return func(tb testing.TB, clock app.Clock) storetest.Storage[*store.Stores] {
		url := server.NewDatabase(tb)
		return storetest.Storage[*store.Stores]{
			Open: func(tb testing.TB) *store.Stores { return open(tb, postgres.New(), url, clock) },
			Used: func(tb testing.TB) int64 { return databaseSize(tb, url) },
		}
	}
}

func databaseSize(tb testing.TB, url string) (size int64) {
	tb.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(context.Background(), "SELECT pg_database_size(current_database())").Scan(&size); err != nil {
		tb.Fatal(err)
	}
	return size
}
