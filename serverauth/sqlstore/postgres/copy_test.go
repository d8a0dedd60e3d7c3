package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// copyTables copies the rows of all tables, and returns what puts them back.
func copyTables(tb testing.TB, url string) (putBack func()) {
	tb.Helper()
	forEachTable(tb, url, `EXECUTE format('DROP TABLE IF EXISTS %I', 'copy_of_' || t);
		EXECUTE format('CREATE TABLE %I AS TABLE %I', 'copy_of_' || t, t);`)
	return func() {
		forEachTable(tb, url, `EXECUTE format('TRUNCATE %I', t);
			EXECUTE format('INSERT INTO %I TABLE %I', t, 'copy_of_' || t);`)
	}
}

func forEachTable(tb testing.TB, url, do string) {
	tb.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `DO $$ DECLARE t text; BEGIN
		FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE 'picoauth_%' LOOP `+
		do+` END LOOP; END $$`)
	if err != nil {
		tb.Fatal(err)
	}
}
