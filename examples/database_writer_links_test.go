package examples_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// linkWriter is a databaseWriter that knows the rows of wallets.
type linkWriter interface {
	readLink(t *testing.T, wallet string) (row any)
	writeLink(t *testing.T, wallet string, row any)
	// setLinkSubject writes another subject of the same length.
	setLinkSubject(t *testing.T, wallet, before, after string)
	deleteLink(t *testing.T, wallet string)
	deleteAll(t *testing.T, what string)
}

const linkColumns = `wallet, algorithm, wallet_id, account, wallet_address, wallet_kind, subject, subject_hash, linked_ms, left_ms, version, mac`

func (w sqlWriter) readLink(t *testing.T, wallet string) any {
	t.Helper()
	row := make([]any, 12)
	into := make([]any, len(row))
	for i := range row {
		into[i] = &row[i]
	}
	require.NoError(t, w.db.QueryRowContext(t.Context(), `SELECT `+linkColumns+` FROM picoauth_link WHERE wallet = $1`, []byte(wallet)).Scan(into...))
	return row
}

func (w sqlWriter) writeLink(t *testing.T, wallet string, row any) {
	t.Helper()
	w.change(t, `UPDATE picoauth_link SET (`+linkColumns+`) = ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) WHERE wallet = $1`,
		append([]any{[]byte(wallet)}, row.([]any)...)...)
}

func (w sqlWriter) setLinkSubject(t *testing.T, wallet, before, after string) {
	t.Helper()
	w.change(t, `UPDATE picoauth_link SET subject = $2, subject_hash = (SELECT subject_hash FROM picoauth_link WHERE subject = $2 LIMIT 1)
		WHERE wallet = $1 AND subject = $3`, []byte(wallet), []byte(after), []byte(before))
}

func (w sqlWriter) deleteLink(t *testing.T, wallet string) {
	t.Helper()
	w.change(t, `DELETE FROM picoauth_link WHERE wallet = $1`, []byte(wallet))
}

const linkRows = "{picoauth:links}:rows"

func (w redisWriter) readLink(t *testing.T, wallet string) any {
	t.Helper()
	row, err := w.client.HGet(t.Context(), linkRows, wallet).Result()
	require.NoError(t, err)
	return row
}

func (w redisWriter) writeLink(t *testing.T, wallet string, row any) {
	t.Helper()
	require.NoError(t, w.client.HSet(t.Context(), linkRows, wallet, row).Err())
}

func (w redisWriter) setLinkSubject(t *testing.T, wallet, before, after string) {
	t.Helper()
	w.writeLink(t, wallet, strings.Replace(w.readLink(t, wallet).(string), before, after, 1))
	require.NoError(t, w.client.ZAdd(t.Context(), "{picoauth:links}:of:"+after, redis.Z{Member: wallet}).Err())
}

func (w redisWriter) deleteLink(t *testing.T, wallet string) {
	t.Helper()
	require.NoError(t, w.client.HDel(t.Context(), linkRows, wallet).Err())
}

// Whoever can write the database, but has no key, signs in with their wallet as nobody else, and brings none back that left.
func TestADatabaseWriterMovesNoWallet(t *testing.T) {
	for name, open := range map[string]func(*testing.T) (string, linkWriter){
		"SQLite": func(t *testing.T) (string, linkWriter) {
			file := filepath.Join(t.TempDir(), "auth.db")
			return "sqlite:" + file, newSQLWriter(t, "sqlite", file+"?_pragma=busy_timeout(5000)")
		},
		"PostgreSQL": func(t *testing.T) (string, linkWriter) {
			url := services.Postgres(t).NewDatabase(t)
			return url, newSQLWriter(t, "pgx", url)
		},
		"Redis": func(t *testing.T) (string, linkWriter) {
			url := services.Redis(t).NewDatabase(t)
			return url, newRedisWriter(t, url)
		},
	} {
		t.Run(name, func(t *testing.T) {
			storage, writer := open(t)
			attackLinks(t, startAttacked(t, storage, "the first password"), writer)
		})
	}
}

// family is a subject with two wallets.
type family struct{ named, joined *testutil.Wallet }

func (a attacked) family(t *testing.T) (f family) {
	t.Helper()
	for _, w := range []**testutil.Wallet{&f.named, &f.joined} {
		made, err := testutil.NewWallet("Ed25519")
		require.NoError(t, err)
		*w = made
	}
	in, err := testutil.SignIn(t.Context(), a.base(), f.named)
	require.NoError(t, err)
	require.NoError(t, testutil.JoinWallet(t.Context(), a.base(), in.AccessToken, f.joined, false))
	return f
}

func (a attacked) base() string { return strings.TrimSuffix(a.url, authPath) }

// signsInAs fails unless a wallet signs in as a subject, or is refused as one that left where that is empty.
func (a attacked) signsInAs(t *testing.T, w *testutil.Wallet, want string) {
	t.Helper()
	in, err := testutil.SignIn(t.Context(), a.base(), w)
	if want != "" {
		require.NoError(t, err)
		assert.Equal(t, want, claimsOf(t, in.AccessToken)["sub"])
		return
	}
	var refused *testutil.StatusError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, 403, refused.Status)
	assert.Contains(t, string(refused.Body), "wallet_left")
}

func (a attacked) leaves(t *testing.T, by, gone *testutil.Wallet) {
	t.Helper()
	in, err := testutil.SignIn(t.Context(), a.base(), by)
	require.NoError(t, err)
	answer, err := send(t.Context(), oneShot, "DELETE", a.url+"/wallets/"+gone.Address, in.AccessToken, nil)
	require.NoError(t, err)
	require.Equal(t, 204, answer.status, answer.body)
}

func attackLinks(t *testing.T, a attacked, w linkWriter) {
	logged := func(t *testing.T) {
		t.Helper()
		assert.NotEmpty(t, a.log.Of(t, "link_forged"), "link_forged is logged")
	}
	t.Run("another subject in my row", func(t *testing.T) {
		mine, theirs := a.family(t), a.family(t)
		w.setLinkSubject(t, mine.joined.Address, mine.named.Address, theirs.named.Address)
		a.signsInAs(t, mine.joined, "")
		a.signsInAs(t, theirs.joined, theirs.named.Address)
		logged(t)
	})
	t.Run("their row in the place of mine", func(t *testing.T) {
		mine, theirs := a.family(t), a.family(t)
		w.writeLink(t, mine.joined.Address, w.readLink(t, theirs.joined.Address))
		if _, isSQL := w.(sqlWriter); !isSQL { // which finds a row by the digest beside it
			a.signsInAs(t, mine.joined, "")
		}
		a.signsInAs(t, theirs.joined, theirs.named.Address)
	})
	t.Run("the row of a wallet that left is deleted", func(t *testing.T) {
		lost := a.family(t)
		a.leaves(t, lost.joined, lost.named)
		w.deleteLink(t, lost.named.Address)
		a.signsInAs(t, lost.named, "")
		a.signsInAs(t, lost.joined, lost.named.Address)
		logged(t)
	})
	t.Run("the row of a wallet that left is edited", func(t *testing.T) {
		lost := a.family(t)
		a.leaves(t, lost.joined, lost.named)
		w.writeLink(t, lost.named.Address, w.readLink(t, lost.joined.Address))
		a.signsInAs(t, lost.named, "")
	})
	t.Run("all are deleted: each wallet is by itself, and nobody else", func(t *testing.T) {
		mine, theirs := a.family(t), a.family(t)
		for _, wallet := range []*testutil.Wallet{mine.joined, theirs.joined, mine.named, theirs.named} {
			w.deleteLink(t, wallet.Address)
		}
		if r, isRedis := w.(redisWriter); isRedis {
			for _, named := range []*testutil.Wallet{mine.named, theirs.named} {
				require.NoError(t, r.client.Del(t.Context(), "{picoauth:links}:of:"+named.Address).Err())
			}
		}
		for _, wallet := range []*testutil.Wallet{mine.joined, theirs.joined, mine.named, theirs.named} {
			in, err := testutil.SignIn(t.Context(), a.base(), wallet)
			var refused *testutil.StatusError
			if err == nil {
				assert.Equal(t, wallet.Address, claimsOf(t, in.AccessToken)["sub"])
			} else if assert.ErrorAs(t, err, &refused) { // for a minute: it was joined a moment ago
				assert.Equal(t, 503, refused.Status)
			}
		}
	})
}
