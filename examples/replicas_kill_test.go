package examples_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

// killSettings are of issuers that are killed: nonces outlive a restart and no refresh token has a grace, so that
// whatever is accepted twice is seen.
func killSettings(more ...string) []string {
	return replicaSettings(append(more, "SERVER_AUTH__CHALLENGE_TTL_SECONDS=3600", "SERVER_AUTH__REFRESH_GRACE_SECONDS=0")...)
}

// TestKilledOnSQLite kills an issuer at random moments under load, 5 times, or 100 times with PICOAUTH_LONG=1.
func TestKilledOnSQLite(t *testing.T) {
	kills := 5
	if long() {
		kills = 100
	}
	dir := filepath.Join(t.TempDir(), "data")
	heads := killLoop(t, kills, killSettings("SERVER_AUTH__DATA_DIR="+dir))
	stores, err := sqlite.New().Open(t.Context(), backendConfig(t, "sqlite:"+filepath.Join(dir, "picoauth.db")))
	require.NoError(t, err)
	defer stores.Close()
	keyStore, err := keys.OpenFileStore(t.Context(), filepath.Join(dir, "keys"), nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	verifyAudit(t, stores.Mints, keyStore, heads)
}

// TestKilledOnPostgres is the same on PostgreSQL.
func TestKilledOnPostgres(t *testing.T) {
	kills := 3
	if long() {
		kills = 100
	}
	url := services.Postgres(t).URL()
	heads := killLoop(t, kills, killSettings("SERVER_AUTH__STORAGE_URL="+url, "SERVER_AUTH__KEY_ENCRYPTION_KEY="+encryptionKey))
	stores, err := postgres.New().Open(t.Context(), backendConfig(t, url))
	require.NoError(t, err)
	defer stores.Close()
	verifyAudit(t, stores.Mints, stores.Keys, heads)
}

func backendConfig(t *testing.T, url string) store.BackendConfig {
	t.Helper()
	key, err := keys.ParseEncryptionKey(encryptionKey)
	require.NoError(t, err)
	return store.BackendConfig{
		URL: url, AccessTokenTTL: 15 * time.Minute, ClockSkew: time.Minute, EncryptionKey: key, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

// verifyAudit reads the whole chain, which must hold every head that an operator was shown.
func verifyAudit(t *testing.T, mints audit.Store, keyStore keys.Store, heads []audit.Head) {
	t.Helper()
	config := keys.DefaultConfig()
	config.Algorithm = "EdDSA"
	ring, err := keys.Open(t.Context(), keyStore, config)
	require.NoError(t, err)
	secret, err := ring.LiveSecret(t.Context(), "mint-audit")
	require.NoError(t, err)
	audit, err := audit.NewRecorder(audit.Config{Store: mints, Key: secret})
	require.NoError(t, err)
	require.NotEmpty(t, heads)
	report, err := audit.Verify(t.Context(), heads...)
	require.NoError(t, err)
	assert.Positive(t, report.Mints)
	t.Logf("the audit of %d mints holds the %d heads that were shown", report.Mints, len(heads))
}

// killLoop kills and starts an issuer again and again, and checks after each start what it had answered.
func killLoop(t *testing.T, kills int, environ []string) []audit.Head {
	t.Helper()
	r := newReplica(t, environ)
	defer r.sane(t)
	random := rand.New(rand.NewPCG(uint64(kills), 11))
	all := &answered{}
	var slowest time.Duration
	for round := range kills {
		if round%3 == 2 { // in the middle of a start
			r.begin()
			time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
			r.kill()
		}
		began := time.Now()
		r.start()
		slowest = max(slowest, time.Since(began))
		all.check(t, r)
		if t.Failed() {
			t.Fatalf("after kill %d", round)
		}
		all.begin(t, r)
		operator := login(t, r.url)
		var load sync.WaitGroup
		for n := range 4 {
			load.Go(func() { all.sessions(r.url, operator, n) })
		}
		load.Go(func() { all.administer(r.url, operator, round%3 == 1) })
		all.progress(t, 8)
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		r.kill()
		load.Wait()
	}
	r.start()
	all.check(t, r)
	all.checkList(t, r)
	r.stop()
	t.Logf("%d kills; all of %d sign-ins, %d refreshes, %d revocations, %d logouts, %d appointed and %d compromised keys are there; the slowest start took %s",
		kills, all.signIns, all.refreshes, len(all.revokedIDs), all.logouts, all.rotations, len(all.compromised), slowest)
	return all.heads
}

// answered is what a server has answered, and what it was asked without an answer, in one life and in all.
type answered struct {
	mu sync.Mutex

	spent, unsure []map[string]any // sign-ins that were, and that may have been, accepted
	current       []rotation       // of sessions that go on
	lost          []string         // refresh tokens that may have been accepted
	revoked       []serverauth.Tokens
	loggedOut     []serverauth.Tokens
	keys          []signingKey // that were appointed

	signIns, refreshes, logouts, rotations int // in all lives
	revokedIDs                             []string
	compromised                            []string
	heads                                  []audit.Head
}

// rotation is a refresh token and the next one.
type rotation struct{ old, next string }

func (a *answered) note(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// begin forgets what was checked.
func (a *answered) begin(t *testing.T, r *replica) {
	t.Helper()
	a.spent, a.unsure, a.current, a.lost, a.revoked, a.loggedOut, a.keys = nil, nil, nil, nil, nil, nil, nil
	require.Equal(t, 200, get(t, r.url+"/readyz", "").status)
}

// progress waits until the load has made so many sign-ins.
func (a *answered) progress(t *testing.T, signIns int) {
	t.Helper()
	a.mu.Lock()
	want := a.signIns + signIns
	a.mu.Unlock()
	require.Eventually(t, func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.signIns >= want }, patience, time.Millisecond)
}

// post makes one request and decodes the answer; done is false for every answer but 200 and 204.
func post(url, operator string, in, out any) (done bool, err error) {
	answer, err := send(context.Background(), oneShot, "POST", url, operator, in)
	if err != nil || answer.status/100 != 2 {
		return false, err
	}
	if answer.status == 204 {
		return true, nil
	}
	return true, json.Unmarshal([]byte(answer.body), out)
}

// administer appoints keys, looks at the audit, and may compromise the key that signs, until the server is killed.
func (a *answered) administer(url, operator string, compromise bool) {
	for n := 0; ; n++ {
		var list struct{ Items []signingKey }
		done, err := post(url+authPath+"/keys/rotate", operator, nil, &list)
		if err != nil {
			return
		}
		a.note(func() {
			for _, k := range list.Items {
				if done && k.State == "pending" && k.ActivatesAt != "" {
					a.keys = []signingKey{k}
					a.rotations++
				}
			}
		})
		answer, err := send(context.Background(), oneShot, "GET", url+authPath+"/mints?limit=1", operator, nil)
		if err != nil {
			return
		}
		var mints struct{ Head audit.Head }
		if answer.status == 200 && json.Unmarshal([]byte(answer.body), &mints) == nil && mints.Head.Seq > 0 {
			a.note(func() { a.heads = append(a.heads, mints.Head) })
		}
		if compromise && n == 3 {
			for _, k := range list.Items {
				if k.State != "active" {
					continue
				}
				a.note(func() { a.keys = nil }) // the next one signs earlier, if this is done without being answered
				if done, err := post(url+authPath+"/keys/"+k.KID+"/compromised", operator, nil, new(any)); done && err == nil {
					a.note(func() { a.compromised = append(a.compromised, k.KID) })
				}
				return // the operator's own token is worth nothing any more
			}
		}
	}
}

// checkList looks for every revocation of all lives.
func (a *answered) checkList(t *testing.T, r *replica) {
	t.Helper()
	listed := map[string]bool{}
	for _, item := range r.since(t, login(t, r.url), 0).Items {
		listed[item.JTI+item.KID] = true
	}
	for _, id := range append(a.revokedIDs, a.compromised...) {
		assert.True(t, listed[id], "the revocation of %s is on the list", id)
	}
	document := r.ask(t, "GET", "/jwks", "", nil).body
	for _, kid := range a.compromised {
		assert.NotContains(t, document, kid)
	}
}
