package serverauth_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

// revoke calls POST /revoke and returns the reply's item and how many sessions and tokens it has ended.
func (s *server) revoke(admin, kind, id string) (item map[string]any, sessions, tokens float64) {
	s.t.Helper()
	r := s.post("/revoke", map[string]any{kind: id}, bearer(admin)...)
	require.Equal(s.t, 200, r.status, "%s", r.body)
	body := r.json(s.t)
	ended := body["ended"].(map[string]any)
	return body["revoked"].(map[string]any), ended["sessions"].(float64), ended["tokens"].(float64)
}

func TestRevokeSaysWhatItEnded(t *testing.T) {
	s, admin := operated(t, nil)
	w := newWallet(t, "Ed25519")
	first, second := s.signIn(w), s.signIn(w)
	claims := jwtPart(t, first.Access, 1)
	ended := func(kind, id string, wantSessions, wantTokens float64) map[string]any {
		t.Helper()
		item, sessions, tokens := s.revoke(admin, kind, id)
		assert.Equal(t, []float64{wantSessions, wantTokens}, []float64{sessions, tokens}, "%s %s", kind, id)
		return item
	}
	jti, sid := claims["jti"].(string), claims["sid"].(string)
	item := ended("jti", jti, 0, 1)
	assert.Equal(t, item, ended("jti", jti, 0, 0))
	ended("jti", "a typing error", 0, 0)
	item = ended("sid", sid, 1, 0) // its only token is revoked already
	assert.Equal(t, item, ended("sid", sid, 0, 0))
	ended("sid", "a typing error", 0, 0)
	s.refresh(second.Refresh).tokens(t)
	ended("sub", " 0X"+strings.ToUpper(w.Address)+" ", 1, 2)
	ended("sub", w.Address, 0, 0)
	ended("sub", "nobody@pico.local", 0, 0)
	fleet := s.fleetToken("agent")
	ended("sid", "session-1", 0, 1)
	ended("sub", "session-1", 0, 0)
	assert.Equal(t, 401, s.introspectActive(fleet))
	s.post("/revoke", map[string]any{"sub": " \t"}, bearer(admin)...).problem(t, 400, "jti required")
}

// What a token shows as its account, and the key of a wallet whose subject is its thumbprint, are the subject too.
func TestRevokeTakesWhatATokenShows(t *testing.T) {
	s, admin := operated(t, nil)
	for algorithm, typed := range map[string]func(w *testutil.Wallet, claims map[string]any) string{
		"eip191":              func(_ *testutil.Wallet, claims map[string]any) string { return claims["account"].(string) },
		testutil.SolanaWallet: func(_ *testutil.Wallet, claims map[string]any) string { return "did:pkh:" + claims["account"].(string) },
		"secp256k1":           func(_ *testutil.Wallet, claims map[string]any) string { return claims["wallet_id"].(string) },
		"ML-DSA-65":           func(w *testutil.Wallet, _ map[string]any) string { return hex.EncodeToString(w.PublicKey) },
	} {
		w := newWallet(t, algorithm)
		in := s.signIn(w)
		item, sessions, tokens := s.revoke(admin, "sub", typed(w, jwtPart(t, in.Access, 1)))
		assert.EqualValues(t, 1, sessions, algorithm)
		assert.EqualValues(t, 1, tokens, algorithm)
		assert.NotEmpty(t, item["sub"])
		assert.Equal(t, 401, s.introspectActive(in.Access), algorithm)
		assert.Equal(t, 401, s.refresh(in.Refresh).status, algorithm)
	}
}

// The administrator's e-mail is one subject in whatever letter case, as it is at the login.
func TestRevokeTakesTheAdministratorsEmailInAnyCase(t *testing.T) {
	s, admin := operated(t, nil)
	item, sessions, tokens := s.revoke(admin, "sub", " ADMIN@Pico.Local ")
	assert.Equal(t, "admin@pico.local", item["sub"])
	assert.Equal(t, []float64{1, 1}, []float64{sessions, tokens})
	assert.Equal(t, 401, s.get("/keys", bearer(admin)...).status)
}

// A subject without a session is hit by the wallet id of its tokens too.
func TestRevokingASubjectReachesTheOtherAddressOfItsKeyByItsTokens(t *testing.T) {
	s, admin := operated(t, map[string]any{"require_message": false})
	w := newWallet(t, "eip191")
	in := s.signIn(w)
	id := jwtPart(t, in.Access, 1)["wallet_id"]
	require.Equal(t, 200, s.post("/revoke", map[string]any{"sid": jwtPart(t, in.Access, 1)["sid"]}, bearer(admin)...).status)
	s.revoke(admin, "sub", w.Address)
	var subs []any
	for _, item := range s.get("/revoked-jtis", bearer(admin)...).json(t)["items"].([]any) {
		if sub := item.(map[string]any)["sub"]; sub != nil {
			subs = append(subs, sub)
		}
	}
	assert.ElementsMatch(t, []any{w.Address, id}, subs)
}

// tokenPair is tokens where a variable has that name.
type tokenPair = tokens

// twoClocks are two servers on one storage, the clock of the second of which is ahead.
func twoClocks(t *testing.T, ahead time.Duration) (now, then *server, admin string) {
	t.Helper()
	backend, clock := newSharedBackend(t), testutil.NewClock(time.Now())
	settings := map[string]any{
		"storage_url": "shared:", "auto_create_admin": true, "admin_password": "correct horse", "fleet_mint_secret": fleetSecret,
	}
	now = startServer(t, settings, backend, testutil.WithClock(clock))
	then = startServer(t, settings, backend, testutil.WithClock(testutil.NewClock(clock.Now().Add(ahead))))
	return now, then, now.admin()
}

// knows calls an operator's endpoint, which grants the difference of clocks: 403 says that a wallet's token is valid.
func (s *server) knows(token string) int {
	s.t.Helper()
	return s.get("/keys", bearer(token)...).status
}

// Nothing that a process with a clock that is ahead has issued survives: each session is listed, and each fleet token.
func TestRevokingASubjectReachesAClockThatIsAhead(t *testing.T) {
	now, ahead, admin := twoClocks(t, 50*time.Second)
	w := newWallet(t, "Ed25519")
	before, ours := ahead.signIn(w), now.signIn(w)
	require.Equal(t, 403, now.knows(before.Access))
	_, sessions, tokens := now.revoke(admin, "sub", w.Address)
	assert.EqualValues(t, 2, sessions)
	assert.GreaterOrEqual(t, tokens, 1.0) // the other process stores its mint within a second
	for _, in := range []tokenPair{before, ours} {
		assert.Equal(t, 401, now.knows(in.Access))
		require.Eventually(t, func() bool { return ahead.knows(in.Access) == 401 }, 5*time.Second, 20*time.Millisecond)
		assert.Equal(t, 401, ahead.refresh(in.Refresh).status)
	}
	sids := map[any]bool{}
	for _, item := range now.get("/revoked-jtis", bearer(admin)...).json(t)["items"].([]any) {
		sids[item.(map[string]any)["sid"]] = true
	}
	assert.True(t, sids[jwtPart(t, before.Access, 1)["sid"]])
	assert.True(t, sids[jwtPart(t, ours.Access, 1)["sid"]])
	for _, s := range []*server{now, ahead} {
		after := s.signIn(w)
		assert.Equal(t, 403, now.knows(after.Access), "a sign-in that is begun after it")
		assert.Equal(t, 403, ahead.knows(after.Access))
	}
}

// An item outlives the tokens that it hits, whatever the settings are now.
func TestAnItemOutlivesEveryTokenThatWasEverIssued(t *testing.T) {
	backend := newSharedBackend(t)
	settings := map[string]any{
		"storage_url": "shared:", "auto_create_admin": true, "admin_password": "correct horse", "fleet_mint_secret": fleetSecret,
		"access_token_expire_minutes": 60,
	}
	before := startServer(t, settings, backend)
	r := before.fleet(map[string]any{"session_id": "run", "agent_id": "a", "ttl": 90 * 86400})
	require.Equal(t, 200, r.status, "%s", r.body)
	token := jwtPart(t, r.json(t)["session_token"].(string), 1)
	exp := token["exp"].(float64)
	w := newWallet(t, "Ed25519")
	claims := jwtPart(t, before.signIn(w).Access, 1)
	before.mints("", before.admin()) // stored

	delete(settings, "fleet_mint_secret")
	settings["access_token_expire_minutes"] = 1
	after := startServer(t, settings, backend)
	admin := after.admin()
	for kind, id := range map[string]string{"jti": token["jti"].(string), "sid": "run", "sub": "run"} {
		item, _, _ := after.revoke(admin, kind, id)
		assert.GreaterOrEqual(t, item["exp"], exp+600, kind)
	}
	item, _, _ := after.revoke(admin, "jti", "a token that is not recorded")
	assert.GreaterOrEqual(t, item["exp"], exp+600)
	item, _, _ = after.revoke(admin, "sid", claims["sid"].(string))
	assert.GreaterOrEqual(t, item["exp"], claims["exp"].(float64)+600, "a session's tokens")
	assert.Less(t, item["exp"], exp, "are not those of a fleet")
	keys := after.get("/keys", bearer(admin)...).json(t)["items"].([]any)
	kid := keys[0].(map[string]any)["kid"].(string)
	for range 2 {
		require.Equal(t, 200, after.post("/keys/"+kid+"/compromised", map[string]any{}, bearer(after.admin())...).status)
	}
	items := after.get("/revoked-jtis", bearer(after.admin())...).json(t)["items"].([]any)
	last := items[len(items)-1].(map[string]any)
	require.Equal(t, kid, last["kid"])
	assert.GreaterOrEqual(t, last["exp"], exp+600)
}

func TestASubjectIsRevokedHoweverItsAddressIsTyped(t *testing.T) {
	s, admin := operated(t, nil)
	for name, typed := range map[string]func(string) string{
		"eip191": strings.ToLower, "Ed25519": strings.ToUpper, "secp256k1": func(a string) string { return "0x" + a },
		"ML-DSA-65": func(a string) string { return a },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWallet(t, name)
			in := s.signIn(w)
			require.Equal(t, 200, s.post("/revoke", map[string]any{"sub": typed(w.Address)}, bearer(admin)...).status)
			assert.Equal(t, 401, s.introspectActive(in.Access))
			assert.Equal(t, 401, s.refresh(in.Refresh).status)
		})
	}
}
