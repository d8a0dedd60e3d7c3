package serverauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

// askJoin asks a challenge with which a wallet joins the subject of a token.
func (s *server) askJoin(access string, w *testutil.Wallet, fields ...any) reply {
	s.t.Helper()
	body := map[string]any{"address": w.Address, "algorithm": w.Algorithm, "join": true}
	for i := 0; i < len(fields); i += 2 {
		body[fields[i].(string)] = fields[i+1]
	}
	return s.post("/challenge", body, "Authorization", "Bearer "+access)
}

// joinBody is the proof of a wallet that is to join.
func (s *server) joinBody(access string, w *testutil.Wallet, fields ...any) map[string]any {
	s.t.Helper()
	r := s.askJoin(access, w, fields...)
	require.Equal(s.t, http.StatusOK, r.status, "%s", r.body)
	var c testutil.Challenge
	require.NoError(s.t, json.Unmarshal(r.body, &c))
	body, err := testutil.SignInRequest(w, c)
	require.NoError(s.t, err)
	return body
}

func (s *server) join(access string, w *testutil.Wallet, fields ...any) reply {
	s.t.Helper()
	return s.post("/wallets", s.joinBody(access, w, fields...), "Authorization", "Bearer "+access)
}

func (s *server) joins(access string, w *testutil.Wallet, fields ...any) map[string]any {
	s.t.Helper()
	r := s.join(access, w, fields...)
	require.Equal(s.t, http.StatusOK, r.status, "%s", r.body)
	return r.json(s.t)
}

func (s *server) leave(access, wallet string) reply {
	s.t.Helper()
	return s.do(http.MethodDelete, "/wallets/"+wallet, "", nil, "Authorization", "Bearer "+access)
}

// wallets are the addresses of a caller's wallets.
func (s *server) wallets(access string) (addresses []string) {
	s.t.Helper()
	r := s.get("/wallets", "Authorization", "Bearer "+access)
	require.Equal(s.t, http.StatusOK, r.status, "%s", r.body)
	for _, item := range r.json(s.t)["items"].([]any) {
		addresses = append(addresses, item.(map[string]any)["wallet_address"].(string))
	}
	return addresses
}

// refuses fails unless a reply is a problem with that code.
func refuses(t testing.TB, r reply, status int, code string) {
	t.Helper()
	assert.Equal(t, status, r.status, "%s", r.body)
	assert.Equal(t, code, r.json(t)["code"])
}

func TestAWalletJoinsAndSignsInAsTheSubject(t *testing.T) {
	s := startServer(t, map[string]any{"supported_wallet_algorithms": []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "Ed25519", "secp256k1", "eip191"}})
	first := newWallet(t, "eip191")
	in := s.signIn(first)
	assert.Equal(t, []string{first.Address}, s.wallets(in.Access))
	joined := []string{first.Address}
	for _, algorithm := range testutil.WalletAlgorithms() {
		w := newWallet(t, algorithm)
		answer := s.joins(in.Access, w)
		assert.Equal(t, first.Address, answer["sub"])
		item := answer["wallet"].(map[string]any)
		assert.Equal(t, w.Algorithm, item["algorithm"])
		assert.Len(t, item["wallet_id"], 43)
		_, err := time.Parse(time.RFC3339, item["linked_at"].(string))
		require.NoError(t, err)

		own := s.signIn(w)
		claims := jwtPart(t, own.Access, 1)
		assert.Equal(t, first.Address, claims["sub"])
		assert.Equal(t, own.Address, claims["wallet_address"])
		assert.Equal(t, item["wallet_address"], claims["wallet_address"])
		assert.Equal(t, item["wallet_id"], claims["wallet_id"])
		assert.Equal(t, item["account"], claims["account"], "absent in both, or the same")
		assert.Equal(t, w.Algorithm, claims["algorithm"])
		joined = append(joined, own.Address)

		renewed := jwtPart(t, s.post("/refresh", map[string]any{"refresh_token": own.Refresh}).tokens(t).Access, 1)
		for _, name := range []string{"sub", "wallet_address", "wallet_id", "account", "sid"} {
			assert.Equal(t, claims[name], renewed[name], name)
		}
		again := s.joins(own.Access, w)
		assert.Equal(t, item, again["wallet"], "joined already: nothing changes")
		assert.Equal(t, joined, s.wallets(own.Access))
	}
	assert.Equal(t, item(s, in.Access, 0), s.joins(in.Access, first)["wallet"], "the wallet that named the subject is joined already")
	sessions := s.get("/sessions", "Authorization", "Bearer "+in.Access).json(t)["items"].([]any)
	assert.Len(t, sessions, 1+len(testutil.WalletAlgorithms()))
}

func item(s *server, access string, n int) any {
	return s.get("/wallets", "Authorization", "Bearer "+access).json(s.t)["items"].([]any)[n]
}

func TestJoiningTheOnlyWalletChangesNothing(t *testing.T) {
	s := startServer(t, nil)
	w := newWallet(t, "eip191")
	in := s.signIn(w)
	assert.Equal(t, item(s, in.Access, 0), s.joins(in.Access, w)["wallet"])
	refuses(t, s.leave(in.Access, w.Address), 409, "last_wallet")
	s.signIn(w)
}

func TestANonceServesForItsPurposeOnly(t *testing.T) {
	s := startServer(t, map[string]any{"require_message": false})
	alice, bob := newWallet(t, "eip191"), newWallet(t, "eip191")
	in, other := s.signIn(alice), s.signIn(bob)
	for _, kind := range []string{"eip191", testutil.SolanaWallet, "Ed25519", "ML-DSA-65"} {
		for _, fields := range [][]any{nil, {"merge", true}, {"merge", true, "join", false}} {
			w := newWallet(t, kind)
			join := s.joinBody(in.Access, w, fields...)
			refuses(t, s.post("/sign-in", join), 401, "invalid_challenge")
			for _, wrong := range []string{"Bearer " + other.Access} {
				r := s.post("/wallets", join, "Authorization", wrong)
				assert.Equal(t, 401, r.status, "of another subject: %s", r.body)
			}
			plain := s.signInBody(w)
			assert.Equal(t, 401, s.post("/wallets", plain, "Authorization", "Bearer "+in.Access).status)
			s.post("/sign-in", plain).tokens(t)
			assert.Equal(t, 401, s.post("/wallets", plain, "Authorization", "Bearer "+in.Access).status)

			fresh := newWallet(t, kind)
			join = s.joinBody(in.Access, fresh, fields...)
			refuses(t, s.post("/sign-in", join), 401, "invalid_challenge")
			require.Equal(t, 200, s.post("/wallets", join, "Authorization", "Bearer "+in.Access).status, "it was not spent")
			refuses(t, s.post("/wallets", join, "Authorization", "Bearer "+in.Access), 401, "invalid_challenge")
		}
	}
	unspent := newWallet(t, "eip191")
	plain := s.signInBody(unspent)
	text := s.joinBody(in.Access, unspent)["message"].(string)
	text = strings.Replace(text, nonceIn(text), plain["challenge"].(string), 1)
	refuses(t, s.post("/wallets", signText(t, unspent, text), "Authorization", "Bearer "+in.Access), 401, "invalid_challenge")
	s.post("/sign-in", plain).tokens(t)
	ordinary := signText(t, unspent, s.ask(unspent.Address).Message)
	refuses(t, s.post("/wallets", ordinary, "Authorization", "Bearer "+in.Access), 401, "invalid_challenge")
	s.post("/sign-in", ordinary).tokens(t)
}

func nonceIn(text string) string {
	_, rest, _ := strings.Cut(text, "\nNonce: ")
	nonce, _, _ := strings.Cut(rest, "\n")
	return nonce
}

func TestAChallengeToJoinNeedsABearer(t *testing.T) {
	s := startServer(t, map[string]any{"fleet_mint_secret": "sixteen characters", "auto_create_admin": true, "admin_password": "a long password"})
	w := newWallet(t, "eip191")
	for _, field := range []string{"join", "merge"} {
		r := s.post("/challenge", map[string]any{"address": w.Address, field: true})
		assert.Equal(t, 401, r.status, "%s", r.body)
		r = s.post("/challenge", map[string]any{"address": w.Address, field: true}, "Authorization", "Bearer nonsense")
		assert.Equal(t, 401, r.status, "%s", r.body)
		s.post("/challenge", map[string]any{"address": w.Address, field: false}).problemFree(t)
		refuses(t, s.post("/challenge", map[string]any{"address": w.Address, field: "yes"}), 400, "wrong_type")
	}
	for _, path := range []string{"/wallets", "/wallets/" + w.Address} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			if r := s.do(method, path, "application/json", []byte("{}")); r.status != http.StatusMethodNotAllowed {
				assert.Equal(t, 401, r.status, "%s %s: %s", method, path, r.body)
			}
		}
	}
	agent := s.post("/fleet/sessions", map[string]any{"session_id": "s", "agent_id": "a"}, "X-Fleet-Secret", "sixteen characters").json(t)["session_token"].(string)
	admin := s.post("/login", map[string]any{"email": "admin@pico.local", "password": "a long password"}).tokens(t).Access
	for _, token := range []string{agent, admin} {
		refuses(t, s.askJoin(token, w), 403, "insufficient_role")
		refuses(t, s.get("/wallets", "Authorization", "Bearer "+token), 403, "insufficient_role")
		refuses(t, s.leave(token, w.Address), 403, "insufficient_role")
		refuses(t, s.post("/wallets", s.signInBody(w), "Authorization", "Bearer "+token), 403, "insufficient_role")
	}
}

func (r reply) problemFree(t testing.TB) {
	t.Helper()
	assert.Equal(t, 200, r.status, "%s", r.body)
}

func TestTheStatementSaysWhoseTheWalletWillBe(t *testing.T) {
	s := startServer(t, map[string]any{"statement": "Welcome."})
	alice, w := newWallet(t, testutil.SolanaWallet), newWallet(t, "eip191")
	in := s.signIn(alice)
	text := s.joinBody(in.Access, w)["message"].(string)
	statement := "Link this wallet to " + alice.Address
	require.Contains(t, text, "\n\n"+statement+"\n\n")
	require.Contains(t, s.joinBody(in.Access, w, "merge", true)["message"], "\n\n"+statement+" and merge\n\n")
	for name, wrong := range map[string]string{
		"none": "", "that of a sign-in": "Welcome.\n", "another subject": "Link this wallet to " + w.Address + "\n",
		"more": statement + " please\n", "another case": strings.ToUpper(statement) + "\n", "less": statement[:len(statement)-1] + "\n",
	} {
		refuses(t, s.post("/wallets", signText(t, w, strings.Replace(text, statement+"\n", wrong, 1)), "Authorization", "Bearer "+in.Access), 401, "statement_mismatch")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	merged := strings.Replace(text, statement+"\n", statement+" and merge\n", 1)
	refuses(t, s.post("/wallets", signText(t, w, merged), "Authorization", "Bearer "+in.Access), 401, "invalid_challenge")
	own := strings.Replace(text, "\nVersion: 1", "\nVersion: 1", 1) + "\nRequest ID: of-a-kit"
	require.Equal(t, 200, s.post("/wallets", signText(t, w, own), "Authorization", "Bearer "+in.Access).status, "another text with the same statement")
	assert.Equal(t, alice.Address, jwtPart(t, s.signIn(w).Access, 1)["sub"])
}

func TestAWalletOfAChainJoinsByAMessageOnly(t *testing.T) {
	s := startServer(t, map[string]any{"require_message": false})
	in := s.signIn(newWallet(t, "eip191"))
	for _, kind := range []string{"eip191", testutil.SolanaWallet} {
		w := newWallet(t, kind)
		nonce := s.askJoin(in.Access, w).json(t)["challenge"].(string)
		signature, err := w.Sign([]byte(nonce))
		require.NoError(t, err)
		body := signText(t, w, nonce)
		delete(body, "message")
		body["address"], body["challenge"] = w.Address, nonce
		require.NotEmpty(t, signature)
		refuses(t, s.post("/wallets", body, "Authorization", "Bearer "+in.Access), 400, "message_required")
	}
	raw := newWallet(t, "Ed25519")
	for _, field := range []string{"join", "merge"} {
		nonce := s.post("/challenge", map[string]any{"address": raw.Address, field: true}, "Authorization", "Bearer "+in.Access).json(t)
		require.NotContains(t, nonce, "message", "the algorithm is not known")
		body := signText(t, raw, nonce["challenge"].(string))
		delete(body, "message")
		body["address"], body["challenge"] = raw.Address, nonce["challenge"]
		require.Equal(t, 200, s.post("/wallets", body, "Authorization", "Bearer "+in.Access).status)
	}
}

func TestAChallengeOfNoAddressJoins(t *testing.T) {
	s := startServer(t, nil)
	w := newWallet(t, "eip191")
	in := s.signIn(newWallet(t, "eip191"))
	nonce := s.post("/challenge", map[string]any{"join": true}, "Authorization", "Bearer "+in.Access).json(t)["challenge"].(string)
	text := s.joinBody(in.Access, w)["message"].(string)
	body := signText(t, w, strings.Replace(text, nonceIn(text), nonce, 1))
	refuses(t, s.post("/sign-in", body), 401, "invalid_challenge")
	require.Equal(t, 200, s.post("/wallets", body, "Authorization", "Bearer "+in.Access).status)
	other := newWallet(t, "eip191")
	body = s.joinBody(in.Access, other)
	text = strings.Replace(body["message"].(string), other.Address, w.Address, 1)
	refuses(t, s.post("/wallets", signText(t, w, text), "Authorization", "Bearer "+in.Access), 401, "challenge_of_another_address")
}

func TestAWalletBelongsToOneSubject(t *testing.T) {
	s := startServer(t, nil)
	alice, bob, w := s.signIn(newWallet(t, "eip191")), s.signIn(newWallet(t, testutil.SolanaWallet)), newWallet(t, "eip191")
	s.joins(alice.Access, w)
	for _, fields := range [][]any{nil, {"merge", true}} {
		refuses(t, s.join(bob.Access, w, fields...), 409, "wallet_taken")
	}
	assert.Equal(t, alice.Address, jwtPart(t, s.signIn(w).Access, 1)["sub"])
	assert.Equal(t, []string{bob.Address}, s.wallets(bob.Access))
}

func TestASubjectOfItsOwnJoinsByAMessageThatSaysSo(t *testing.T) {
	s := startServer(t, nil)
	aliceWallet, bobWallet := newWallet(t, "eip191"), newWallet(t, testutil.SolanaWallet)
	alice, bob := s.signIn(aliceWallet), s.signIn(bobWallet)
	refuses(t, s.join(alice.Access, bobWallet), 409, "subject_exists")
	s.get("/sessions", "Authorization", "Bearer "+bob.Access).problemFree(t)

	s.joins(alice.Access, bobWallet, "merge", true)
	refuses(t, s.get("/sessions", "Authorization", "Bearer "+bob.Access), 401, "token_revoked")
	s.post("/refresh", map[string]any{"refresh_token": bob.Refresh}).problem(t, 401, "refresh invalid: session has ended")
	assert.Equal(t, alice.Address, jwtPart(t, s.signIn(bobWallet).Access, 1)["sub"])

	third := s.signIn(newWallet(t, "eip191"))
	refuses(t, s.join(third.Access, aliceWallet, "merge", true), 409, "subject_exists")
	refuses(t, s.join(third.Access, aliceWallet), 409, "subject_exists")
	s.get("/sessions", "Authorization", "Bearer "+alice.Access).problemFree(t)
	refuses(t, s.leave(alice.Access, bobWallet.Address+"x"), 404, "wallet_not_found")
	require.Equal(t, 204, s.leave(alice.Access, bobWallet.Address).status)
	s.joins(third.Access, aliceWallet, "merge", true)
	assert.Equal(t, third.Address, jwtPart(t, s.signIn(aliceWallet).Access, 1)["sub"], "without links of its own it joins")
	refuses(t, s.post("/sign-in", s.signInBody(bobWallet)), 403, "wallet_left")
}

func TestRecoveryAfterALostKey(t *testing.T) {
	s := startServer(t, nil)
	lost, spare := newWallet(t, "eip191"), newWallet(t, testutil.SolanaWallet)
	in := s.signIn(lost)
	s.joins(in.Access, spare)
	recovered := s.signIn(spare)
	require.Equal(t, 204, s.leave(recovered.Access, lost.Address).status)
	refuses(t, s.get("/wallets", "Authorization", "Bearer "+in.Access), 401, "token_revoked")
	s.post("/refresh", map[string]any{"refresh_token": in.Refresh}).problem(t, 401, "refresh invalid: session has ended")
	for range 2 {
		refuses(t, s.post("/sign-in", s.signInBody(lost)), 403, "wallet_left")
	}
	assert.Equal(t, []string{spare.Address}, s.wallets(recovered.Access))
	refuses(t, s.leave(recovered.Access, spare.Address), 409, "last_wallet")
	refuses(t, s.leave(recovered.Access, lost.Address), 404, "wallet_not_found")
	claims := jwtPart(t, s.signIn(spare).Access, 1)
	assert.Equal(t, lost.Address, claims["sub"], "the subject stays")

	other := s.signIn(newWallet(t, "eip191"))
	s.joins(other.Access, lost)
	assert.Equal(t, other.Address, jwtPart(t, s.signIn(lost).Access, 1)["sub"])
	assert.Equal(t, lost.Address, jwtPart(t, s.signIn(spare).Access, 1)["sub"])
	require.Equal(t, 204, s.leave(other.Access, lost.Address).status)
	refuses(t, s.post("/sign-in", s.signInBody(lost)), 403, "wallet_left")
	s.joins(recovered.Access, lost)
	assert.Equal(t, lost.Address, jwtPart(t, s.signIn(lost).Access, 1)["sub"])
	assert.Equal(t, []string{spare.Address, lost.Address}, s.wallets(recovered.Access))
}

func TestAWalletIsTakenAwayByAnyOfItsNames(t *testing.T) {
	s := startServer(t, nil)
	in := s.signIn(newWallet(t, testutil.SolanaWallet))
	for name, of := range map[string]func(map[string]any) string{
		"account":           func(w map[string]any) string { return w["account"].(string) },
		"escaped account":   func(w map[string]any) string { return url.PathEscape(w["account"].(string)) },
		"colons escaped":    func(w map[string]any) string { return strings.ReplaceAll(w["account"].(string), ":", "%3A") },
		"did:pkh":           func(w map[string]any) string { return "did:pkh:" + w["account"].(string) },
		"wallet id":         func(w map[string]any) string { return w["wallet_id"].(string) },
		"address":           func(w map[string]any) string { return w["wallet_address"].(string) },
		"lowercase address": func(w map[string]any) string { return strings.ToLower(w["wallet_address"].(string)) },
	} {
		w := newWallet(t, "eip191")
		item := s.joins(in.Access, w)["wallet"].(map[string]any)
		r := s.leave(in.Access, of(item))
		assert.Equal(t, 204, r.status, "%s: %s", name, r.body)
		refuses(t, s.post("/sign-in", s.signInBody(w)), 403, "wallet_left")
	}
	w := newWallet(t, "eip191")
	s.joins(in.Access, w)
	for _, wrong := range []string{"eip155:137:" + w.Address, "nobody", w.Address[:41], "0x", "eip155:1:" + in.Address, "%20"} {
		refuses(t, s.leave(in.Access, wrong), 404, "wallet_not_found")
	}
}

func TestTakingAWalletAwayNeedsARecentSignIn(t *testing.T) {
	clock := testutil.NewClock(time.Now().Truncate(time.Second))
	s := startServer(t, nil, testutil.WithClock(clock))
	first, second := newWallet(t, "eip191"), newWallet(t, "eip191")
	in := s.signIn(first)
	s.joins(in.Access, second)
	clock.Advance(5*time.Minute + time.Millisecond)
	refuses(t, s.leave(in.Access, second.Address), 403, "recent_sign_in_required")
	renewed := s.post("/refresh", map[string]any{"refresh_token": in.Refresh}).tokens(t)
	refuses(t, s.leave(renewed.Access, second.Address), 403, "recent_sign_in_required")
	again := s.signIn(first)
	clock.Advance(5 * time.Minute)
	require.Equal(t, 204, s.leave(again.Access, second.Address).status)
}

// Leaving and joining again at one moment: what was ended stays ended, and the next sign-in is not taken for it.
func TestAWalletThatJoinsAgainSignsInAtOnce(t *testing.T) {
	clock := testutil.NewClock(time.Now().Truncate(time.Second))
	s := startServer(t, nil, testutil.WithClock(clock))
	w := newWallet(t, "eip191")
	in := s.signIn(newWallet(t, testutil.SolanaWallet))
	for range 3 {
		s.joins(in.Access, w)
		own := s.signIn(w)
		require.Equal(t, 204, s.leave(in.Access, w.Address).status)
		refuses(t, s.get("/wallets", "Authorization", "Bearer "+own.Access), 401, "token_revoked")
	}
}

func TestRevokingASubjectHitsEveryWalletsTokens(t *testing.T) {
	s := startServer(t, map[string]any{"auto_create_admin": true, "admin_password": "a long password"})
	admin := s.post("/login", map[string]any{"email": "admin@pico.local", "password": "a long password"}).tokens(t).Access
	first, second, third := newWallet(t, "eip191"), newWallet(t, testutil.SolanaWallet), newWallet(t, "Ed25519")
	in := s.signIn(first)
	s.joins(in.Access, second)
	s.joins(in.Access, third)
	bystander := s.signIn(newWallet(t, "eip191"))
	forms := []string{
		first.Address, strings.ToLower(first.Address), first.Address[2:], second.Address, third.Address, "0x" + third.Address,
		jwtPart(t, in.Access, 1)["account"].(string), jwtPart(t, s.signIn(second).Access, 1)["account"].(string),
		jwtPart(t, s.signIn(second).Access, 1)["wallet_id"].(string),
	}
	for _, form := range forms {
		var all []tokens
		for _, w := range []*testutil.Wallet{first, second, third} {
			all = append(all, s.signIn(w))
		}
		r := s.post("/revoke", map[string]any{"sub": form}, "Authorization", "Bearer "+admin)
		require.Equal(t, 200, r.status, "%s", r.body)
		for i, in := range all {
			refuses(t, s.get("/wallets", "Authorization", "Bearer "+in.Access), 401, "token_revoked")
			assert.Equal(t, 401, s.post("/refresh", map[string]any{"refresh_token": in.Refresh}).status, "%s: wallet %d", form, i)
			if t.Failed() {
				t.Fatalf("%s: wallet %d", form, i)
			}
		}
	}
	s.get("/wallets", "Authorization", "Bearer "+bystander.Access).problemFree(t)
}

func TestSessionsOfASubjectAreThoseOfItsWallets(t *testing.T) {
	s := startServer(t, map[string]any{"auto_create_admin": true, "admin_password": "a long password"})
	admin := s.post("/login", map[string]any{"email": "admin@pico.local", "password": "a long password"}).tokens(t).Access
	named, joined := newWallet(t, "Ed25519"), newWallet(t, "eip191")
	in := s.signIn(named)
	s.joins(in.Access, joined)
	own := s.signIn(joined)
	sessions := func(access, query string) (sids []any) {
		r := s.get("/sessions"+query, "Authorization", "Bearer "+access)
		require.Equal(t, 200, r.status, "%s", r.body)
		for _, item := range r.json(t)["items"].([]any) {
			assert.Equal(t, in.Address, item.(map[string]any)["sub"])
			sids = append(sids, item.(map[string]any)["sid"])
		}
		return sids
	}
	both := []any{jwtPart(t, own.Access, 1)["sid"], jwtPart(t, in.Access, 1)["sid"]}
	assert.ElementsMatch(t, both, sessions(in.Access, ""))
	assert.ElementsMatch(t, both, sessions(own.Access, ""))
	for _, sub := range []string{in.Address, joined.Address, strings.ToLower(joined.Address)} {
		assert.ElementsMatch(t, both, sessions(admin, "?sub="+sub), sub)
	}
	require.Equal(t, 204, s.leave(own.Access, named.Address).status)
	other := s.signIn(newWallet(t, "eip191"))
	s.joins(other.Access, named)
	moved := s.signIn(named)
	assert.Equal(t, []any{jwtPart(t, own.Access, 1)["sid"]}, sessions(own.Access, ""), "not those of a wallet that is another's now")
	refuses(t, s.do(http.MethodDelete, "/sessions/"+jwtPart(t, moved.Access, 1)["sid"].(string), "", nil, "Authorization", "Bearer "+own.Access), 404, "session_not_found")
}

// Of two subjects that join one wallet at once, one gets it; and of a merge in both directions one happens.
func TestJoinsRace(t *testing.T) {
	s := startServer(t, nil)
	for range 5 {
		a, b, w := newWallet(t, "eip191"), newWallet(t, "eip191"), newWallet(t, "eip191")
		inA, inB := s.signIn(a), s.signIn(b)
		replies := s.atOnce(
			func() reply { return s.postJoin(inA.Access, w) }, func() reply { return s.postJoin(inB.Access, w) },
		)
		assert.ElementsMatch(t, []int{200, 409}, []int{replies[0].status, replies[1].status})

		c, d := newWallet(t, "eip191"), newWallet(t, "eip191")
		inC, inD := s.signIn(c), s.signIn(d)
		toC, toD := s.joinBody(inC.Access, d, "merge", true), s.joinBody(inD.Access, c, "merge", true)
		replies = s.atOnce(
			func() reply { return s.post("/wallets", toC, "Authorization", "Bearer "+inC.Access) },
			func() reply { return s.post("/wallets", toD, "Authorization", "Bearer "+inD.Access) },
		)
		won := 0
		for _, r := range replies {
			if r.status == 200 {
				won++
			} else {
				assert.Contains(t, []int{401, 403, 409}, r.status, "%s", r.body)
			}
		}
		assert.Equal(t, 1, won)
		assert.Equal(t, jwtPart(t, s.signIn(c).Access, 1)["sub"], jwtPart(t, s.signIn(d).Access, 1)["sub"])
	}
}

func (s *server) postJoin(access string, w *testutil.Wallet) reply { return s.join(access, w) }

// atOnce makes requests at one moment.
func (s *server) atOnce(requests ...func() reply) []reply {
	replies := make([]reply, len(requests))
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, request := range requests {
		all.Go(func() {
			<-start
			replies[i] = request()
		})
	}
	close(start)
	all.Wait()
	return replies
}

// Two wallets that take each other away: one stays.
func TestTheLastWalletStaysInARace(t *testing.T) {
	s := startServer(t, nil)
	for range 5 {
		a, b := newWallet(t, "eip191"), newWallet(t, "eip191")
		inA := s.signIn(a)
		s.joins(inA.Access, b)
		inB := s.signIn(b)
		replies := s.atOnce(
			func() reply { return s.leave(inA.Access, b.Address) }, func() reply { return s.leave(inB.Access, a.Address) },
		)
		gone := 0
		for _, r := range replies {
			if r.status == 204 {
				gone++
			} else {
				assert.Contains(t, []int{401, 403, 409}, r.status, "%s", r.body)
			}
		}
		assert.Equal(t, 1, gone)
		alive := 0
		for _, w := range []*testutil.Wallet{a, b} {
			if s.post("/sign-in", s.signInBody(w)).status == 200 {
				alive++
			}
		}
		assert.Equal(t, 1, alive)
	}
}

// A wallet that signs in while it is taken away: whatever it got is worth nothing afterwards.
func TestAWalletThatLeavesWhileItSignsIn(t *testing.T) {
	s := startServer(t, nil)
	for _, alone := range []bool{false, true} { // as one that was joined, and as one that nobody knew when it began
		for range 5 {
			named, w := newWallet(t, "eip191"), newWallet(t, "Ed25519")
			in := s.signIn(named)
			s.joins(in.Access, w)
			gone, keeper := w, in
			if alone {
				gone, keeper = named, s.signIn(w)
			}
			var bodies []map[string]any
			for range 6 {
				bodies = append(bodies, s.signInBody(gone))
			}
			requests := []func() reply{func() reply { return s.leave(keeper.Access, gone.Address) }}
			for _, body := range bodies {
				requests = append(requests, func() reply { return s.post("/sign-in", body) })
			}
			replies := s.atOnce(requests...)
			require.Equal(t, 204, replies[0].status, "%s", replies[0].body)
			for _, r := range replies[1:] {
				if r.status != 200 {
					refuses(t, r, 403, "wallet_left")
					continue
				}
				in := r.tokens(t)
				refuses(t, s.get("/wallets", "Authorization", "Bearer "+in.Access), 401, "token_revoked")
				assert.Equal(t, 401, s.post("/refresh", map[string]any{"refresh_token": in.Refresh}).status)
			}
			assert.Equal(t, 1, len(s.wallets(keeper.Access)))
		}
	}
}

// A contract wallet joins and is joined like any other. It is known by its account, whichever subject it signs in as.
func TestContractWalletsHaveSubjectsInCommonWithOthers(t *testing.T) {
	clock := testutil.NewClock(time.Now().Truncate(time.Second))
	node := newRPCNode(t)
	s := startServer(t, node.settings(nil), testutil.WithClock(clock))
	joinSafe := func(access string, fields map[string]any) reply {
		ask := map[string]any{"address": safe, "chain_id": chain, "join": true}
		for name, value := range fields {
			ask[name] = value
		}
		text := s.post("/challenge", ask, "Authorization", "Bearer "+access).json(t)["message"].(string)
		return s.post("/wallets", map[string]any{"message": text, "signature": "0x" + strings.Repeat("c0", 130)}, "Authorization", "Bearer "+access)
	}
	key := newWallet(t, "eip191")
	in := s.signIn(key)
	answer := joinSafe(in.Access, nil).json(t)
	assert.Equal(t, key.Address, answer["sub"])
	item := answer["wallet"].(map[string]any)
	assert.Equal(t, account, item["account"])
	assert.Equal(t, safe, item["wallet_address"])
	assert.NotContains(t, item, "wallet_id")

	own := s.post("/sign-in", s.contractBody(130)).tokens(t)
	assert.Equal(t, safe, own.Address)
	clock.Advance(16 * time.Minute)
	asked := node.called.Load()
	renewed := s.refresh(own.Refresh).tokens(t)
	assert.Equal(t, asked+1, node.called.Load(), "its chain is asked at a refresh as before")
	for _, token := range []string{own.Access, renewed.Access} {
		claims := jwtPart(t, token, 1)
		for name, want := range map[string]any{"sub": key.Address, "account": account, "wallet_address": safe, "wallet_kind": "contract"} {
			assert.Equal(t, want, claims[name], name)
		}
	}
	fresh := s.signIn(key)
	refuses(t, s.leave(fresh.Access, "eip155:1:"+safe), 404, "wallet_not_found")
	require.Equal(t, 204, s.leave(fresh.Access, account).status)
	assert.Equal(t, 401, s.refresh(renewed.Refresh).status)
	refuses(t, s.post("/sign-in", s.contractBody(130)), 403, "wallet_left")

	joinSafe(fresh.Access, nil).problemFree(t)
	byContract := s.post("/sign-in", s.contractBody(130)).tokens(t)
	require.Equal(t, 204, s.leave(byContract.Access, key.Address).status)
	assert.Equal(t, []string{safe}, s.wallets(byContract.Access))
	assert.Equal(t, key.Address, jwtPart(t, s.post("/sign-in", s.contractBody(65)).tokens(t).Access, 1)["sub"])
}

// A contract wallet that signed in first names the subject by its account.
func TestAContractWalletNamesItsSubject(t *testing.T) {
	node := newRPCNode(t)
	s := startServer(t, node.settings(nil))
	in := s.post("/sign-in", s.contractBody(130)).tokens(t)
	key := newWallet(t, "eip191")
	require.Contains(t, s.joinBody(in.Access, key)["message"], "\nLink this wallet to "+account+"\n")
	s.joins(in.Access, key)
	own := s.signIn(key)
	assert.Equal(t, account, jwtPart(t, own.Access, 1)["sub"])
	assert.Equal(t, key.Address, jwtPart(t, own.Access, 1)["wallet_address"])
	require.Equal(t, 204, s.leave(own.Access, strings.ToLower(account)).status)
	refuses(t, s.post("/sign-in", s.contractBody(130)), 403, "wallet_left")
	assert.Equal(t, account, jwtPart(t, s.signIn(key).Access, 1)["sub"])
}
