package examples_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// outage is a way for a service to be away, and to come back.
type outage struct {
	name       string
	begin, end func(*services.Server, testing.TB)
}

// outages are all ways; the last takes as long as the time-outs, and is left to PICOAUTH_LONG=1.
func outages() []outage {
	all := []outage{
		{"stopped", (*services.Server).Stop, (*services.Server).Start},
		{"killed", (*services.Server).Kill, (*services.Server).Start},
	}
	if long() {
		all = append(all, outage{"hanging", (*services.Server).Pause, (*services.Server).Resume})
	}
	return all
}

// visitor has, before an outage, all that it needs to ask for everything during it.
type visitor struct {
	r        *replica
	operator string
	in       testutil.SignedIn
}

func newVisitor(t *testing.T, r *replica) visitor {
	t.Helper()
	return visitor{r, login(t, r.url), r.signIn(t)}
}

// question is a request of a visitor.
type question struct {
	method, path string
	operator     bool
	in           any
}

func (v visitor) signIn(t *testing.T) question {
	t.Helper()
	return question{"POST", "/sign-in", false, v.r.signInRequest(t, newWallet(t))}
}

func (v visitor) refresh() question {
	return question{"POST", "/refresh", false, refreshBody(v.in.RefreshToken)}
}

func (v visitor) introspect() question {
	return question{"POST", "/introspect", true, map[string]string{"token": v.in.AccessToken}}
}

// writes are the requests that change something in the storage, but for the challenges.
func (v visitor) writes() []question {
	return []question{
		v.refresh(),
		{"POST", "/login", false, map[string]string{"email": "admin@pico.local", "password": adminPassword}},
		{"POST", "/logout", false, refreshBody(v.in.RefreshToken)},
		{"POST", "/revoke", true, map[string]string{"jti": "something"}},
		{"POST", "/revoke", true, map[string]string{"sub": "somebody"}},
		{"POST", "/keys/rotate", true, nil},
	}
}

func (v visitor) reads() []question {
	return []question{{"GET", "/mints", true, nil}, {"GET", "/revoked-jtis", true, nil}}
}

// ask sends all questions at once and returns the answers, each of which has to come in time.
func (v visitor) ask(t *testing.T, questions ...question) []reply {
	t.Helper()
	answers := make([]reply, len(questions))
	var asking sync.WaitGroup
	for i, q := range questions {
		asking.Go(func() {
			token := ""
			if q.operator {
				token = v.operator
			}
			began := time.Now()
			answer, err := send(t.Context(), oneShot, q.method, v.r.url+authPath+q.path, token, q.in)
			assert.NoError(t, err, q.path)
			assert.Less(t, time.Since(began), 20*time.Second, q.path)
			answers[i] = answer
		})
	}
	asking.Wait()
	return answers
}

// unavailable holds that every question is answered with a 503 that says when to come again, and nothing else.
func (v visitor) unavailable(t *testing.T, questions ...question) {
	t.Helper()
	for i, answer := range v.ask(t, questions...) {
		path := questions[i].path
		assert.Equal(t, 503, answer.status, "%s: %s", path, answer.body)
		assert.NotEmpty(t, answer.header.Get("Retry-After"), path)
		assert.Equal(t, "application/problem+json", answer.header.Get("Content-Type"), path)
		assert.NotRegexp(t, "(?i)sql|redis|dial|127.0.0.1|disk", answer.body, "internals")
	}
}

// becomes waits until the instance says that it is ready, or that it is not.
func (r *replica) becomes(t *testing.T, status int) time.Duration {
	t.Helper()
	began := time.Now()
	require.Eventually(t, func() bool { return get(t, r.url+"/readyz", "").status == status }, 20*time.Second, 20*time.Millisecond)
	assert.Equal(t, 200, get(t, r.url+"/healthz", "").status)
	return time.Since(began)
}

func TestRedisAway(t *testing.T) {
	t.Parallel()
	postgres, redis := services.Postgres(t), services.Redis(t)
	r := newReplica(t, sharedStorage(t, postgres, redis))
	r.start()
	defer r.sane(t)
	for _, out := range outages() {
		t.Run(out.name, func(t *testing.T) {
			v := newVisitor(t, r)
			held := v.signIn(t)
			out.begin(redis, t)
			r.becomes(t, 503)
			v.unavailable(t, held)
			for i, answer := range v.ask(t, v.refresh(), v.introspect(), question{"GET", "/jwks", false, nil}) {
				assert.Equal(t, 200, answer.status, "%d: what needs no challenges goes on", i)
			}
			out.end(redis, t)
			t.Logf("ready again after %s", r.becomes(t, 200))
			assert.Equal(t, 200, v.ask(t, v.signIn(t))[0].status)
			again := []int{v.ask(t, held)[0].status, v.ask(t, held)[0].status}
			assert.Contains(t, [][]int{{200, 401}, {401, 401}}, again, "the nonce of before is spent once at most")
		})
	}
}

func TestPostgresAway(t *testing.T) {
	t.Parallel()
	postgres, redis := services.Postgres(t), services.Redis(t)
	r := newReplica(t, sharedStorage(t, postgres, redis))
	r.start()
	defer r.sane(t)
	for _, out := range outages() {
		t.Run(out.name, func(t *testing.T) {
			v := newVisitor(t, r)
			held := v.signIn(t)
			out.begin(postgres, t)
			r.becomes(t, 503)
			v.unavailable(t, append(append(v.writes(), v.reads()...), held)...)
			assert.Equal(t, 200, v.ask(t, question{"GET", "/jwks", false, nil})[0].status)
			out.end(postgres, t)
			t.Logf("ready again after %s", r.becomes(t, 200))
			assert.Equal(t, 200, v.ask(t, v.signIn(t))[0].status)
			assert.Equal(t, 200, v.ask(t, v.introspect())[0].status)
			after := newVisitor(t, r)
			for i, answer := range after.ask(t, after.reads()...) {
				assert.Equal(t, 200, answer.status, after.reads()[i].path)
			}
			assert.Equal(t, 200, after.ask(t, after.refresh())[0].status)
			decode[any](t, r.ask(t, "POST", "/revoke", after.operator, map[string]string{"jti": jtiOf(after.in.AccessToken)}))
			assert.False(t, r.active(t, after.operator, after.in.AccessToken))
		})
	}
}

// TestATableThatIsLockedBurnsNoRefreshToken locks the denylist's table, as a migration does, until nobody gets tokens. With no
// grace at all, the refresh token that was answered 503 is good when the table is free again.
func TestATableThatIsLockedBurnsNoRefreshToken(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t).NewDatabase(t)
	r := newReplica(t, replicaSettings(
		"SERVER_AUTH__STORAGE_URL="+url, "SERVER_AUTH__KEY_ENCRYPTION_KEY="+encryptionKey, "SERVER_AUTH__REFRESH_GRACE_SECONDS=0",
	))
	r.start()
	defer r.sane(t)
	v := newVisitor(t, r)
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	defer db.Close()
	held := v.signIn(t)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), `LOCK TABLE picoauth_revocation IN ACCESS EXCLUSIVE MODE`)
	require.NoError(t, err)
	r.becomes(t, 503)
	require.Eventually(t, func() bool { return v.ask(t, v.introspect())[0].status == 503 }, patience, 100*time.Millisecond, "the denylist is too old")
	v.unavailable(t, v.refresh(), held)
	v.unavailable(t, v.refresh())
	require.NoError(t, tx.Rollback())
	r.becomes(t, 200)
	answer := v.ask(t, v.refresh())[0]
	require.Equal(t, 200, answer.status, answer.body)
	assert.Equal(t, 200, v.ask(t, held)[0].status, "nor is the nonce of a sign-in")
	assert.Zero(t, r.count("refresh_reused"))
}

// TestKeyCompromisedDuringAnOutage reports a stolen key while the keys cannot be changed and the denylist can. When
// that was answered with a 503, an operator must be able to report it again.
func TestKeyCompromisedDuringAnOutage(t *testing.T) {
	t.Parallel()
	postgres, redis := services.Postgres(t), services.Redis(t)
	r := newReplica(t, sharedStorage(t, postgres, redis, "SERVER_AUTH__REVOCATION_STORAGE_URL="+redis.NewDatabase(t)))
	r.start()
	defer r.sane(t)
	v := newVisitor(t, r)
	kid := kidOf(t, v.in.AccessToken)
	compromise := question{"POST", "/keys/" + kid + "/compromised", true, nil}
	postgres.Stop(t)
	v.unavailable(t, compromise)
	postgres.Start(t)
	r.becomes(t, 200)
	again := visitor{r: r, operator: login(t, r.url)}
	answer := again.ask(t, compromise)[0]
	require.Equal(t, 200, answer.status, "nobody can sign in to do it: %s", answer.body)
	assert.NotContains(t, r.ask(t, "GET", "/jwks", "", nil).body, kid)
	assert.True(t, r.active(t, login(t, r.url), r.signIn(t).AccessToken))
	assert.False(t, r.active(t, login(t, r.url), v.in.AccessToken))
}

// TestDiskFull fills the disk below a SQLite file.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t)
	r := newReplica(t, replicaSettings("SERVER_AUTH__DATA_DIR="+filepath.Join(dir, "data")))
	r.start()
	defer r.sane(t)
	v := newVisitor(t, r)
	revoked := r.signIn(t)
	decode[any](t, r.ask(t, "POST", "/revoke", v.operator, map[string]string{"jti": jtiOf(revoked.AccessToken)}))

	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	accepted := 0
	for began := time.Now(); ; accepted++ { // the log of the database has room for some more
		answer := v.ask(t, v.signIn(t))[0]
		if answer.status == 503 {
			break
		}
		require.Equal(t, 200, answer.status, answer.body)
		require.Less(t, time.Since(began), patience)
		fill(t, filler)
	}
	r.becomes(t, 503)
	v.unavailable(t, append(v.writes(), v.signIn(t))...)
	assert.True(t, r.active(t, v.operator, v.in.AccessToken), "what only has to be read is answered")
	assert.False(t, r.active(t, v.operator, revoked.AccessToken))

	require.NoError(t, os.Remove(filler))
	t.Logf("%d sign-ins were accepted after the disk was full; ready again after %s", accepted, r.becomes(t, 200))
	assert.Equal(t, 200, v.ask(t, v.signIn(t))[0].status)
	assert.Equal(t, 200, v.ask(t, v.refresh())[0].status)
	assert.False(t, r.active(t, v.operator, revoked.AccessToken))

	fill(t, filler)
	v.ask(t, v.signIn(t), v.signIn(t), question{"POST", "/revoke", true, map[string]string{"sub": "somebody"}})
	r.kill()
	require.NoError(t, os.Remove(filler))
	r.start()
	assert.False(t, r.active(t, login(t, r.url), revoked.AccessToken), "after a crash on a full disk")
	assert.Zero(t, r.count("audit_broken"))
}

// fill takes all the room that there is.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer file.Close()
	for _, size := range []int{64 << 10, 4 << 10, 1} {
		for block := make([]byte, size); err == nil; {
			_, err = file.Write(block)
		}
		err = nil
	}
}

// TestProtectedRequestsDuringAnOutage runs the issuer in the app that it protects. Tokens are judged in process, and for as
// long as the denylist is recent; then nobody is let in until it can be read again.
func TestProtectedRequestsDuringAnOutage(t *testing.T) {
	t.Parallel()
	database := services.Postgres(t)
	protected := embeddedOn(t, database.URL())
	in, err := testutil.SignIn(t.Context(), protected.URL, newWallet(t))
	require.NoError(t, err)
	revoked, err := testutil.SignIn(t.Context(), protected.URL, newWallet(t))
	require.NoError(t, err)
	path := protected.URL + "/api/profile"
	require.NoError(t, testutil.PostAs(t.Context(), protected.URL+authPath+"/revoke", login(t, protected.URL),
		map[string]string{"jti": jtiOf(revoked.AccessToken)}, nil))
	require.Equal(t, 200, get(t, path, in.AccessToken).status)
	require.Equal(t, 401, get(t, path, revoked.AccessToken).status)

	database.Stop(t)
	began, served := time.Now(), 0
	for ; time.Since(began) < 30*time.Second; served++ {
		assert.NotEqual(t, 200, get(t, path, revoked.AccessToken).status, "a revoked token")
		if answer := get(t, path, in.AccessToken); answer.status != 200 {
			assert.Equal(t, 503, answer.status)
			assert.NotEmpty(t, answer.header.Get("Retry-After"))
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	closed := time.Since(began)
	assert.Less(t, closed, 17*time.Second, "fail closed")
	assert.Equal(t, 401, get(t, path, "garbage").status)
	assert.Equal(t, 401, get(t, path, "").status)
	database.Start(t)
	require.Eventually(t, func() bool { return get(t, path, in.AccessToken).status == 200 }, 20*time.Second, 20*time.Millisecond)
	assert.Equal(t, 401, get(t, path, revoked.AccessToken).status)
	t.Logf("%d requests served until the denylist was too old after %s", served, closed)
}
