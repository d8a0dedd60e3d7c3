package examples_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // a driver of database/sql
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/sqlstore"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// databaseWriter is somebody who may write everything in the database, and has no key of the issuer.
type databaseWriter interface {
	setSubject(t *testing.T, sid, before, after string)
	copyRow(t *testing.T, from, to string)
	raise(t *testing.T, sid string, ends bool)
	deleteAll(t *testing.T, what string) // session or revocation
}

const aMonth = 30 * 24 * 3600 * 1000 // milliseconds

// sqlWriter writes tables.
type sqlWriter struct{ db *sql.DB }

func newSQLWriter(t *testing.T, driver, source string) sqlWriter {
	t.Helper()
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return sqlWriter{db}
}

func (w sqlWriter) change(t *testing.T, statement string, arguments ...any) {
	t.Helper()
	result, err := w.db.ExecContext(t.Context(), statement, arguments...)
	require.NoError(t, err)
	changed, err := result.RowsAffected()
	require.NoError(t, err)
	require.NotZero(t, changed, "the attack changes nothing")
}

func (w sqlWriter) setSubject(t *testing.T, sid, _, after string) {
	t.Helper()
	w.change(t, `UPDATE picoauth_session SET subject = $1 WHERE id = $2`, []byte(after), []byte(sid))
}

func (w sqlWriter) copyRow(t *testing.T, from, to string) {
	t.Helper()
	const columns = `subject, kind, algorithm, wallet_id, account, credential, counter, started_ms, rotated_ms, expires_ms, ends_ms, ` +
		`client_id, request_id, client, user_agent, mac, subject_hash, wallet_hash`
	w.change(t, `UPDATE picoauth_session SET (`+columns+`) = (SELECT `+columns+` FROM picoauth_session WHERE id = $1) WHERE id = $2`,
		[]byte(from), []byte(to))
}

func (w sqlWriter) raise(t *testing.T, sid string, ends bool) {
	t.Helper()
	w.change(t, `UPDATE picoauth_session SET expires_ms = expires_ms + `+strconv.Itoa(aMonth)+` WHERE id = $1`, []byte(sid))
	if ends {
		w.change(t, `UPDATE picoauth_session SET ends_ms = ends_ms + `+strconv.Itoa(aMonth)+` WHERE id = $1`, []byte(sid))
	}
}

func (w sqlWriter) deleteAll(t *testing.T, what string) {
	t.Helper()
	w.change(t, `DELETE FROM picoauth_`+what)
}

// redisWriter writes keys.
type redisWriter struct{ client *redis.Client }

func newRedisWriter(t *testing.T, url string) redisWriter {
	t.Helper()
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	client := redis.NewClient(options)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return redisWriter{client}
}

func (w redisWriter) row(t *testing.T, sid string) string {
	t.Helper()
	row, err := w.client.Get(t.Context(), "{picoauth:sessions}:session:"+sid).Result()
	require.NoError(t, err)
	return row
}

func (w redisWriter) set(t *testing.T, sid, row string) {
	t.Helper()
	require.NotEqual(t, w.row(t, sid), row, "the attack changes nothing")
	require.NoError(t, w.client.Set(t.Context(), "{picoauth:sessions}:session:"+sid, row, redis.KeepTTL).Err())
}

func (w redisWriter) setSubject(t *testing.T, sid, before, after string) {
	t.Helper()
	w.set(t, sid, strings.Replace(w.row(t, sid), before, after, 1))
}

func (w redisWriter) copyRow(t *testing.T, from, to string) {
	t.Helper()
	w.set(t, to, strings.ReplaceAll(w.row(t, from), from, to))
}

// raise knows that a row begins with counter, rotation, expiry and end.
func (w redisWriter) raise(t *testing.T, sid string, ends bool) {
	t.Helper()
	fields := strings.SplitN(w.row(t, sid), " ", 5)
	for i := 2; i < 4; i++ {
		if at, err := strconv.ParseInt(fields[i], 10, 64); i == 2 || ends {
			require.NoError(t, err)
			fields[i] = strconv.FormatInt(at+aMonth, 10)
		}
	}
	w.set(t, sid, strings.Join(fields, " "))
}

func (w redisWriter) deleteAll(t *testing.T, what string) {
	t.Helper()
	keys, err := w.client.Keys(t.Context(), "{picoauth:"+what+"s}:*").Result()
	require.NoError(t, err)
	require.NotEmpty(t, keys, "the attack changes nothing")
	require.NoError(t, w.client.Del(t.Context(), keys...).Err())
}

// attacked is a server beside which a databaseWriter works.
type attacked struct {
	url string
	log *testutil.LogRecords
}

func startAttacked(t *testing.T, storage, password string) attacked {
	t.Helper()
	log := &testutil.LogRecords{}
	running := testutil.NewApp(t, serverauth.Module, sqlstore.Module, redisstore.Module,
		app.ConfigMap(map[string]any{"server_auth": map[string]any{
			"storage_url": storage, "key_encryption_key": encryptionKey, "algorithm": "EdDSA", "rate_limit_per_minute": 0,
			"auto_create_admin": true, "admin_password": password, "session_max_days": 2, "refresh_token_expire_days": 1,
		}}),
		fx.Decorate(func() *slog.Logger { return slog.New(slog.NewJSONHandler(log, nil)) }))
	return attacked{running.URL + authPath, log}
}

func (a attacked) signIn(t *testing.T) testutil.SignedIn {
	t.Helper()
	w, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	in, err := testutil.SignIn(t.Context(), strings.TrimSuffix(a.url, authPath), w)
	require.NoError(t, err)
	return in
}

func (a attacked) administrator(t *testing.T, password string) (in testutil.SignedIn) {
	t.Helper()
	require.NoError(t, testutil.Post(t.Context(), a.url+"/login", map[string]string{"email": "admin@pico.local", "password": password}, &in))
	return in
}

// refresh returns the status of the answer, and the tokens of a 200.
func (a attacked) refresh(ctx context.Context, in testutil.SignedIn) (status int, out testutil.SignedIn) {
	answer, err := send(ctx, oneShot, "POST", a.url+"/refresh", "", refreshBody(in.RefreshToken))
	if err != nil {
		return 0, out
	}
	_ = json.Unmarshal([]byte(answer.body), &out) // a refusal holds no tokens
	return answer.status, out
}

// ended holds that nothing is given for a session, now and later.
func (a attacked) ended(t *testing.T, in testutil.SignedIn) {
	t.Helper()
	for range 2 {
		status, out := a.refresh(t.Context(), in)
		assert.Equal(t, 401, status)
		assert.Empty(t, out.AccessToken)
	}
}

// forged is ended, by a row that is not authentic, which the log tells.
func (a attacked) forged(t *testing.T, in testutil.SignedIn) {
	t.Helper()
	a.ended(t, in)
	found := false
	for _, record := range a.log.Of(t, "session_forged") {
		found = found || record["sid"] == claimsOf(t, in.AccessToken)["sid"]
	}
	assert.True(t, found, "session_forged is logged")
}

func claimsOf(t *testing.T, token string) (claims map[string]any) {
	t.Helper()
	text, err := rawURL.DecodeString(strings.Split(token, ".")[1])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &claims))
	return claims
}

func sidOf(t *testing.T, in testutil.SignedIn) string {
	t.Helper()
	return claimsOf(t, in.AccessToken)["sid"].(string)
}

// Whoever can write the database, but has no key, can end sessions and undo revocations, and becomes nobody.
func TestADatabaseWriterGainsNothing(t *testing.T) {
	for name, open := range map[string]func(*testing.T) (storage string, writer func(*testing.T) databaseWriter){
		"SQLite": func(t *testing.T) (string, func(*testing.T) databaseWriter) {
			file := filepath.Join(t.TempDir(), "auth.db")
			return "sqlite:" + file, func(t *testing.T) databaseWriter {
				return newSQLWriter(t, "sqlite", file+"?_pragma=busy_timeout(5000)")
			}
		},
		"PostgreSQL": func(t *testing.T) (string, func(*testing.T) databaseWriter) {
			url := services.Postgres(t).NewDatabase(t)
			return url, func(t *testing.T) databaseWriter { return newSQLWriter(t, "pgx", url) }
		},
		"Redis": func(t *testing.T) (string, func(*testing.T) databaseWriter) {
			url := services.Redis(t).NewDatabase(t)
			return url, func(t *testing.T) databaseWriter { return newRedisWriter(t, url) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			storage, writer := open(t)
			a := startAttacked(t, storage, "the first password")
			attackSessions(t, a, writer(t))
			t.Run("the credential of a new session on one of before the password was changed", func(t *testing.T) {
				before := a.administrator(t, "the first password")
				changed := startAttacked(t, storage, "the second password")
				writer(t).copyRow(t, sidOf(t, changed.administrator(t, "the second password")), sidOf(t, before))
				changed.forged(t, before)
			})
			t.Run("revocations and sessions deleted", func(t *testing.T) { deleteEverything(t, a, writer(t)) })
		})
	}
}

func attackSessions(t *testing.T, a attacked, w databaseWriter) {
	t.Run("another's subject", func(t *testing.T) {
		mine, theirs := a.signIn(t), a.signIn(t)
		subject := func(in testutil.SignedIn) string { return claimsOf(t, in.AccessToken)["sub"].(string) }
		w.setSubject(t, sidOf(t, mine), subject(mine), subject(theirs))
		a.forged(t, mine)
		status, next := a.refresh(t.Context(), theirs)
		assert.Equal(t, 200, status, "theirs goes on")
		assert.Equal(t, subject(theirs), subject(next))
	})
	t.Run("an administrator's row", func(t *testing.T) {
		mine, theirs := a.signIn(t), a.administrator(t, "the first password")
		w.copyRow(t, sidOf(t, theirs), sidOf(t, mine))
		a.forged(t, mine)
	})
	t.Run("another wallet's row", func(t *testing.T) {
		mine, theirs := a.signIn(t), a.signIn(t)
		w.copyRow(t, sidOf(t, theirs), sidOf(t, mine))
		a.forged(t, mine)
	})
	t.Run("a later end", func(t *testing.T) {
		mine := a.signIn(t)
		w.raise(t, sidOf(t, mine), true)
		a.forged(t, mine)
	})
	t.Run("a later expiry", func(t *testing.T) {
		mine := a.signIn(t)
		w.raise(t, sidOf(t, mine), false)
		status, next := a.refresh(t.Context(), mine)
		require.Equal(t, 200, status)
		expires := time.Unix(int64(claimsOf(t, next.RefreshToken)["exp"].(float64)), 0)
		assert.WithinRange(t, expires, time.Now(), time.Now().Add(48*time.Hour), "session_max_days")
	})
}

// deleteEverything undoes what the database writer may undo: a session that has ended stays so all the same.
func deleteEverything(t *testing.T, a attacked, w databaseWriter) {
	revoked, living := a.signIn(t), a.signIn(t)
	operator := a.administrator(t, "the first password")
	answer, err := send(t.Context(), oneShot, "POST", a.url+"/revoke", operator.AccessToken, map[string]string{"sid": sidOf(t, revoked)})
	require.NoError(t, err)
	require.Equal(t, 200, answer.status, answer.body)
	for _, what := range []string{"revocation", "session"} {
		w.deleteAll(t, what)
		for _, in := range map[string][]testutil.SignedIn{"revocation": {revoked}, "session": {revoked, living, operator}}[what] {
			require.Eventually(t, func() bool {
				status, out := a.refresh(t.Context(), in)
				return assert.Empty(t, out.AccessToken, what) && status == 401
			}, patience, 50*time.Millisecond, fmt.Sprint(what, "s deleted"))
		}
	}
}
