package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/sqlstore"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

func open(t *testing.T, backend store.Backend, url string) *store.Stores {
	t.Helper()
	stores, err := backend.Open(t.Context(), store.BackendConfig{
		URL: url, AccessTokenTTL: time.Minute, ClockSkew: time.Minute, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = stores.Close() })
	return stores
}

// dump returns the rows of every table that is copied, and fill adds some, with every form of a value, to those that have none.
func dump(t *testing.T, path string, fill bool) map[string][]string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	all := make(map[string][]string)
	for _, name := range column(t, db, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'picoauth%'`) {
		if strings.HasPrefix(name, "picoauth_key") || name == "picoauth_schema" {
			continue
		}
		quoted := column(t, db, `SELECT 'quote(' || name || ')' FROM pragma_table_info('`+name+`')`)
		query := `SELECT ` + strings.Join(quoted, `||','||`) + ` FROM ` + name + ` ORDER BY 1`
		if fill && len(column(t, db, query)) == 0 {
			for row := range 250 {
				values := column(t, db, fmt.Sprintf(`SELECT CASE WHEN type = 'INTEGER' THEN '%d' WHEN type = 'TEXT' THEN '''é%d''' WHEN "notnull" OR pk OR %d %% 3 = 0
					THEN 'x''00ff%04x''' WHEN %d %% 3 = 1 THEN 'x''''' ELSE 'NULL' END FROM pragma_table_info('%s')`, row*1e9, row, row, row, row, name))
				_, err := db.Exec(`INSERT OR IGNORE INTO ` + name + ` VALUES (` + strings.Join(values, ",") + `)`)
				require.NoError(t, err, name)
			}
		}
		all[name] = column(t, db, query)
	}
	return all
}

func column(t *testing.T, db *sql.DB, query string) (values []string) {
	t.Helper()
	rows, err := db.Query(query)
	require.NoError(t, err, query)
	defer rows.Close()
	for rows.Next() {
		var value string
		require.NoError(t, rows.Scan(&value))
		values = append(values, value)
	}
	require.NoError(t, rows.Err())
	return values
}

func TestCopyThereAndBackIsTheSame(t *testing.T) {
	server := services.Postgres(t)
	first, second := filepath.Join(t.TempDir(), "a.db"), filepath.Join(t.TempDir(), "b.db")
	from, between, to := open(t, sqlite.New(), "sqlite:"+first), open(t, postgres.New(), server.URL()), open(t, sqlite.New(), "sqlite:"+second)
	want := dump(t, first, true)
	require.Greater(t, len(want), 5)

	var last, all int64
	rows, err := sqlstore.Copy(t.Context(), from, between, func(done, total int64) { last, all = done, total })
	require.NoError(t, err)
	assert.Equal(t, []int64{rows, rows}, []int64{last, all})
	nothing := func(int64, int64) {}
	_, err = sqlstore.Copy(t.Context(), between, to, nothing)
	require.NoError(t, err)
	assert.Equal(t, want, dump(t, second, false))

	_, err = sqlstore.Copy(t.Context(), from, to, nothing)
	assert.ErrorIs(t, err, sqlstore.ErrNotEmpty)
	_, err = sqlstore.Copy(t.Context(), from, &store.Stores{}, nothing)
	assert.ErrorContains(t, err, "only the stores of SQL databases")
}

func TestACopyOfADatabaseThatChangesIsNone(t *testing.T) {
	first, second := filepath.Join(t.TempDir(), "a.db"), filepath.Join(t.TempDir(), "b.db")
	from, to := open(t, sqlite.New(), "sqlite:"+first), open(t, sqlite.New(), "sqlite:"+second)
	dump(t, first, true)
	changed := false
	_, err := sqlstore.Copy(context.Background(), from, to, func(done, total int64) {
		if done == total && !changed {
			changed = true
			_, err := from.Revocations.Add(context.Background(), []store.Revocation{{JTI: "new", Exp: 1}})
			require.NoError(t, err)
		}
	})
	require.ErrorIs(t, err, sqlstore.ErrChanged)
	page, err := to.Revocations.Since(t.Context(), 0, 0, 1)
	require.NoError(t, err)
	assert.Empty(t, page.Items)
}
