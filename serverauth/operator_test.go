package serverauth_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/wallet"
	"github.com/picoauth/picoauth/testutil"
)

func TestLogoutEndsTheSessionAndItsAccessTokens(t *testing.T) {
	s := startServer(t, nil)
	in := s.signIn(newWallet(t, "Ed25519"))
	next := s.refresh(in.Refresh).tokens(t)
	other := s.signIn(newWallet(t, "Ed25519"))
	logout := func(token any) reply { return s.post("/logout", map[string]any{"refresh_token": token}) }
	assert.Equal(t, 204, logout(next.Refresh).status)
	for _, token := range []string{in.Access, next.Access} {
		assert.Equal(t, 401, s.introspectActive(token))
	}
	s.refresh(next.Refresh).problem(t, 401, "refresh invalid: session has ended")
	assert.Equal(t, 204, logout(next.Refresh).status, "an ended one")
	assert.Equal(t, 204, logout("garbage").status, "an unreadable one")
	logout("").problem(t, 400, "refresh_token required")
	s.post("/logout", map[string]any{}).problem(t, 400, "refresh_token required")
	assert.Equal(t, 200, s.introspectActive(other.Access), "another's session goes on")
}

func TestRevokeByTokenSessionAndSubject(t *testing.T) {
	s, admin := operated(t, nil)
	w := newWallet(t, "Ed25519")
	first, second := s.signIn(w), s.signIn(w)
	stranger := s.signIn(newWallet(t, "Ed25519"))
	claims := jwtPart(t, first.Access, 1)

	r := s.post("/revoke", map[string]any{"jti": claims["jti"], "reason": "stolen"}, bearer(admin)...)
	require.Equal(t, 200, r.status, "%s", r.body)
	item := r.json(t)["revoked"].(map[string]any)
	assert.Equal(t, claims["jti"], item["jti"])
	assert.Equal(t, "stolen", item["reason"])
	assert.Equal(t, "admin@pico.local", item["revoked_by"])
	assert.EqualValues(t, claims["exp"].(float64)+600, item["exp"])
	assert.Equal(t, 401, s.introspectActive(first.Access))
	again := s.post("/revoke", map[string]any{"jti": claims["jti"], "reason": "again"}, bearer(admin)...)
	assert.Equal(t, r.json(t)["revoked"], again.json(t)["revoked"], "a second call returns the first entry")
	first = s.refresh(first.Refresh).tokens(t)

	r = s.post("/revoke", map[string]any{"sid": claims["sid"]}, bearer(admin)...)
	require.Equal(t, 200, r.status)
	assert.Equal(t, 401, s.introspectActive(first.Access))
	s.refresh(first.Refresh).problem(t, 401, "refresh invalid: session has ended")
	assert.Equal(t, 200, s.introspectActive(second.Access))

	r = s.post("/revoke", map[string]any{"sub": w.Address}, bearer(admin)...)
	require.Equal(t, 200, r.status)
	assert.Equal(t, 401, s.introspectActive(second.Access))
	s.refresh(second.Refresh).problem(t, 401, "refresh invalid: session has ended")
	third := s.signIn(w)
	assert.Equal(t, 200, s.introspectActive(third.Access), "what begins after the reply is valid")
	assert.Equal(t, 200, s.introspectActive(stranger.Access))
}

func TestRevokingASubjectReachesTheOtherAddressOfItsKey(t *testing.T) {
	s, admin := operated(t, map[string]any{"require_message": false})
	hex := newWallet(t, "Ed25519")
	solana := *hex
	solana.Address = base58Of(hex.PublicKey)
	asHex, asSolana := s.signIn(hex), s.signIn(&solana)
	require.NotEqual(t, asHex.Address, asSolana.Address)
	require.Equal(t, 200, s.post("/revoke", map[string]any{"sub": solana.Address}, bearer(admin)...).status)
	assert.Equal(t, 401, s.introspectActive(asHex.Access))
	assert.Equal(t, 401, s.introspectActive(asSolana.Access))
	s.refresh(asHex.Refresh).problem(t, 401, "refresh invalid: session has ended")
}

// Whatever clients hold when a revocation of their subject can be answered is worthless afterwards.
func TestNothingOfASubjectSurvivesItsRevocation(t *testing.T) {
	s, admin := operated(t, nil)
	w := newWallet(t, "Ed25519")
	type received struct {
		tokens
		at time.Time
	}
	var mu sync.Mutex
	var issued []received
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(issued) }
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r := s.post("/sign-in", s.signInBody(w))
				if r.status != 200 {
					continue
				}
				in := r.tokens(t)
				if worker%2 == 0 {
					if r := s.refresh(in.Refresh); r.status == 200 {
						in = r.tokens(t)
					}
				}
				mu.Lock()
				issued = append(issued, received{in, time.Now()})
				mu.Unlock()
			}
		})
	}
	require.Eventually(t, func() bool { return count() >= 16 }, time.Minute, time.Millisecond, "it is their traffic that is tested")
	r := s.post("/revoke", map[string]any{"sub": w.Address}, bearer(admin)...)
	replied := time.Now()
	close(stop)
	wg.Wait()
	require.Equal(t, 200, r.status, "%s", r.body)
	// A sign-in that meets the revocation is answered this much after the end of the revoked second. On a slow machine that can be
	// before the reply to the revocation has been read.
	revokedAt := r.json(t)["revoked"].(map[string]any)["revoked_at"].(float64)
	if next := time.Unix(int64(revokedAt)+1, 0).Add(revocation.SignInDelay); next.Before(replied) {
		replied = next
	}
	before := slices.DeleteFunc(issued, func(in received) bool { return !in.at.Before(replied) })
	require.GreaterOrEqual(t, len(before), 16)
	for _, in := range before {
		require.Equal(t, 401, s.introspectActive(in.Access))
		require.Equal(t, 401, s.refresh(in.Refresh).status)
	}
	assert.Equal(t, 200, s.introspectActive(s.signIn(w).Access))
}

func TestRevokeRefusals(t *testing.T) {
	s, admin := operated(t, nil)
	s.post("/revoke", map[string]any{}, bearer(admin)...).problem(t, 400, "jti required")
	s.post("/revoke", map[string]any{"jti": "a", "sub": "b"}, bearer(admin)...).problem(t, 400, "only one of jti, sid and sub can be revoked at once")
	s.post("/revoke", map[string]any{"jti": 1}, bearer(admin)...).problem(t, 400, "field jti must be a string")
}

func TestOperatorEndpointsGuardThemselves(t *testing.T) {
	s, admin := operated(t, nil)
	wallet, service := s.signIn(newWallet(t, "Ed25519")).Access, s.fleetToken("service")
	readers := []string{"GET /revoked-jtis", "POST /introspect"}
	for _, endpoint := range []string{"POST /revoke", "GET /keys", "POST /keys/rotate", "POST /keys/x/compromised", "GET /mints", "GET /revoked-jtis", "POST /introspect"} {
		method, path, _ := strings.Cut(endpoint, " ")
		call := func(header ...string) reply { return s.do(method, path, "application/json", []byte("{}"), header...) }
		none := call()
		assert.Equal(t, 401, none.status, endpoint)
		assert.True(t, strings.HasPrefix(none.header.Get("WWW-Authenticate"), "Bearer realm="), endpoint)
		assert.NotContains(t, none.header.Get("WWW-Authenticate"), "error", endpoint)
		bad := call(bearer("x.y.z")...)
		assert.Equal(t, 401, bad.status, endpoint)
		assert.Contains(t, bad.header.Get("WWW-Authenticate"), `error="invalid_token"`, endpoint)
		assert.Equal(t, 403, call(bearer(wallet)...).status, endpoint)
		assert.NotContains(t, []int{401, 403}, call(bearer(admin)...).status, endpoint)
		reads := slices.Contains(readers, endpoint)
		assert.Equal(t, reads, call(bearer(service)...).status != 403, endpoint)
		if reads {
			assert.NotContains(t, []int{401, 403}, call("X-Fleet-Secret", fleetSecret).status, endpoint)
			call("X-Fleet-Secret", "wrong").problem(t, 401, "invalid X-Fleet-Secret")
		}
	}
}

func TestAnEmptyListOfOperatorRolesLetsNobodyIn(t *testing.T) {
	s, admin := operated(t, map[string]any{"operator_roles": []string{}})
	assert.Equal(t, 403, s.get("/keys", bearer(admin)...).status)
}

func TestRevokedList(t *testing.T) {
	s, admin := operated(t, nil)
	list := func(query string, header ...string) reply {
		return s.get("/revoked-jtis"+query, append(bearer(admin), header...)...)
	}
	empty := list("")
	require.Equal(t, 200, empty.status)
	assert.Equal(t, []any{}, empty.json(t)["items"])
	start := empty.json(t)["seq"].(float64)
	etag := empty.header.Get("ETag")
	assert.Equal(t, 304, list("", "If-None-Match", etag).status)

	in := s.signIn(newWallet(t, "Ed25519"))
	claims := jwtPart(t, in.Access, 1)
	s.post("/revoke", map[string]any{"sid": claims["sid"], "reason": "r"}, bearer(admin)...)
	full := list("", "If-None-Match", etag)
	require.Equal(t, 200, full.status)
	items := full.json(t)["items"].([]any)
	require.Len(t, items, 2, "the session, and its live token for clients that know jti only")
	assert.Equal(t, claims["sid"], items[0].(map[string]any)["sid"])
	assert.Equal(t, claims["jti"], items[1].(map[string]any)["jti"])
	seq := full.json(t)["seq"].(float64)
	assert.Greater(t, seq, start)
	number := func(f float64) string { text, _ := json.Marshal(int64(f)); return string(text) }
	assert.Len(t, list("?since=" + number(start)).json(t)["items"], 2)
	assert.Empty(t, list("?since=" + number(seq)).json(t)["items"])
	assert.Len(t, list("?since=" + number(seq+1)).json(t)["items"], 2, "a since from the future gets the whole list")
	assert.Len(t, list("?since=99999999999999999999").json(t)["items"], 2, "however far")
	for _, bad := range []string{"x", "-1", "1.5", "-99999999999999999999"} {
		assert.Equal(t, 400, list("?since="+bad).status, bad)
	}
}

func TestFleetSessions(t *testing.T) {
	s, _ := operated(t, map[string]any{"fleet_max_ttl_seconds": 7200, "fleet_session_ttl_seconds": 3600})
	now := time.Now().Unix()
	r := s.fleet(map[string]any{"session_id": "run-1", "agent_id": "agent-7", "scope": "read write"})
	require.Equal(t, 200, r.status, "%s", r.body)
	assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
	token := r.json(t)["session_token"].(string)
	claims := jwtPart(t, token, 1)
	for name, want := range map[string]any{
		"sub": "run-1", "sid": "run-1", "session_id": "run-1", "agent_id": "agent-7", "role": "agent", "scope": "read write",
	} {
		assert.Equal(t, want, claims[name], name)
	}
	assert.InDelta(t, now+3600, r.json(t)["exp"], 2)
	assert.Equal(t, 200, s.introspectActive(token))
	for ttl, want := range map[int64]int64{0: 3600, 1: 60, -5: 60, 61: 61, 7200: 7200, 1 << 62: 7200} {
		r := s.fleet(map[string]any{"session_id": "s", "agent_id": "a", "ttl": ttl})
		claims := jwtPart(t, r.json(t)["session_token"].(string), 1)
		assert.EqualValues(t, want, claims["exp"].(float64)-claims["iat"].(float64), "ttl %d", ttl)
	}
}

func TestFleetTTLIsReadAsOtherClientsWriteIt(t *testing.T) {
	s, _ := operated(t, map[string]any{"fleet_max_ttl_seconds": 7200, "fleet_session_ttl_seconds": 3600})
	fleet := func(ttl string) reply {
		body := `{"session_id":"s","agent_id":"a","ttl":` + ttl + `}`
		return s.do(http.MethodPost, "/fleet/sessions", "application/json", []byte(body), "X-Fleet-Secret", fleetSecret)
	}
	for ttl, want := range map[string]int64{`90.0`: 90, `"90"`: 90, `"90.0"`: 90, `9e1`: 90, `null`: 3600, `0.0`: 3600, `"0"`: 3600, `1e300`: 7200, `-1e300`: 60} {
		claims := jwtPart(t, fleet(ttl).json(t)["session_token"].(string), 1)
		assert.EqualValues(t, want, claims["exp"].(float64)-claims["iat"].(float64), "ttl %s", ttl)
	}
	for _, ttl := range []string{`90.5`, `"90s"`, `""`, `true`, `[90]`, `{}`, `"0x5a"`, `"inf"`, `"NaN"`, `" 90"`, `"9_0"`, `"1e999"`} {
		fleet(ttl).problem(t, 400, "field ttl must be a whole number within range")
	}
}

func TestFleetTokensSayWhatPythonsClientReads(t *testing.T) {
	s, _ := operated(t, nil)
	task := map[string]any{
		"scopes": []any{"treasury:pay", "treasury:read"}, "task_type": "payout", "user_id": "user 7", "org_id": "ACME ÅB",
		"conversation_id": "c-1", "task_id": "t-1", "spend_limit": "12.50", "parent_chain": []any{"root", "planner"},
	}
	body := map[string]any{"session_id": "Lauf 1 – Nürnberg", "agent_id": "エージェント 7"}
	maps.Copy(body, task)
	claims := jwtPart(t, s.fleet(body).json(t)["session_token"].(string), 1)
	for name, want := range task {
		assert.Equal(t, want, claims[name], name)
	}
	assert.Equal(t, []any{"Lauf 1 – Nürnberg", "Lauf 1 – Nürnberg", "エージェント 7"}, []any{claims["session_id"], claims["sub"], claims["agent_id"]})
	body["spend_limit"] = 12.5
	assert.Equal(t, 12.5, jwtPart(t, s.fleet(body).json(t)["session_token"].(string), 1)["spend_limit"], "a number stays one")

	plain := jwtPart(t, s.fleetToken("agent"), 1)
	for name := range task {
		assert.NotContains(t, plain, name)
	}
	long := strings.Repeat("é", 257)
	for name, values := range map[string][]any{
		"session_id": {" s", "s ", "a\tb", "a\nb", "a\u202eb", "a\u00a0b", "a\x00b", long}, "agent_id": {" ", "\u200b", long},
		"task_type": {" x", "x\n", long}, "user_id": {long}, "org_id": {"\x7f"}, "conversation_id": {long}, "task_id": {"a\u2028b"},
		"spend_limit":  {true, []any{}, map[string]any{}, long},
		"scopes":       {[]any{""}, []any{"a b"}, []any{long}, []any{`"`}, slices.Repeat([]any{"x"}, 65)},
		"parent_chain": {[]any{""}, []any{" a"}, []any{long}, slices.Repeat([]any{"x"}, 65), slices.Repeat([]any{strings.Repeat("x", 250)}, 17)},
	} {
		for _, value := range values {
			body := map[string]any{"session_id": "s", "agent_id": "a"}
			body[name] = value
			assert.Equal(t, 400, s.fleet(body).status, "%s: %v", name, value)
		}
	}
	most := s.fleet(map[string]any{"session_id": strings.Repeat("é", 256), "agent_id": strings.Repeat("字", 256)})
	assert.Equal(t, 200, most.status, "256 characters of any size")
}

// plainScheme is a scheme of an app's own that does not know the form of its addresses.
type plainScheme struct{ wallet.Scheme }

func (plainScheme) Algorithm() string { return "plain" }

func TestFleetSessionsAreNotNamedLikeWalletsOfAnAppsOwn(t *testing.T) {
	s := startServer(t, map[string]any{"fleet_mint_secret": fleetSecret},
		serverauth.AsWalletScheme(func() serverauth.WalletScheme { return plainScheme{wallet.Ed25519()} }))
	for id, status := range map[string]int{
		"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2": 400, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq": 400,
		"bip122:000000000019d6689c085ae165831e93:128Lkh3S7CkDTBZ8W7BbpsN3YYizJMp8p6": 400,
		"run-1": 200, "550e8400-e29b-41d4-a716-446655440000": 200, "Lauf 1 – Nürnberg": 200, "job:42:7": 200,
	} {
		assert.Equal(t, status, s.fleet(map[string]any{"session_id": id, "agent_id": "a"}).status, id)
	}
}

// A session's name is the fleet's to choose: once it is revoked, no token of it is handed out that nobody would take.
func TestARevokedFleetSessionIsNotMintedAgain(t *testing.T) {
	s, admin := operated(t, nil)
	fleet := func(id string) reply { return s.fleet(map[string]any{"session_id": id, "agent_id": "a"}) }
	require.Equal(t, 200, fleet("run-1").status)
	require.Equal(t, 200, s.post("/revoke", map[string]any{"sid": "run-1"}, bearer(admin)...).status)
	refused := fleet("run-1")
	refused.problem(t, 403, "session is revoked")
	assert.Equal(t, "session_revoked", refused.json(t)["code"])
	assert.Equal(t, 200, s.introspectActive(fleet("run-2").json(t)["session_token"].(string)))

	before := fleet("run-2").json(t)["session_token"].(string)
	require.Equal(t, 200, s.post("/revoke", map[string]any{"sub": "run-2"}, bearer(admin)...).status)
	assert.Equal(t, 401, s.introspectActive(before))
	assert.Equal(t, 200, s.introspectActive(fleet("run-2").json(t)["session_token"].(string)), "a subject is revoked until now only")
}

func TestFleetRefusals(t *testing.T) {
	s, _ := operated(t, nil)
	good := map[string]any{"session_id": "s", "agent_id": "a"}
	s.post("/fleet/sessions", good).problem(t, 401, "invalid X-Fleet-Secret")
	s.post("/fleet/sessions", good, "X-Fleet-Secret", "wrong").problem(t, 401, "invalid X-Fleet-Secret")
	s.fleet(map[string]any{"session_id": "s"}).problem(t, 400, "session_id and agent_id required")
	s.fleet(map[string]any{"agent_id": "a"}).problem(t, 400, "session_id and agent_id required")
	for _, role := range []string{"admin", "operator", "wallet"} {
		assert.Equal(t, 403, s.fleet(map[string]any{"session_id": "s", "agent_id": "a", "role": role}).status)
	}
	for _, id := range []string{
		"admin@pico.local", newWallet(t, "eip191").Address, newWallet(t, testutil.SolanaWallet).Address, newWallet(t, "Ed25519").Address,
		newWallet(t, "secp256k1").Address, "lPKEv3TE2oZGYKqd9ikYOP9vGcXNmpICwVXCPKYp25E",
		"eip155:1:" + newWallet(t, "eip191").Address, "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:" + newWallet(t, testutil.SolanaWallet).Address,
		"did:pkh:eip155:1:" + newWallet(t, "eip191").Address, "EIP155:1:" + newWallet(t, "eip191").Address,
		"0X" + strings.ToUpper(newWallet(t, "eip191").Address[2:]), "0X" + newWallet(t, "Ed25519").Address, "admin＠pico.local",
	} {
		r := s.fleet(map[string]any{"session_id": id, "agent_id": "a"})
		assert.Equal(t, 400, r.status, id)
		assert.Equal(t, "invalid_session_id", r.json(t)["code"])
	}
	root := startServer(t, map[string]any{"admin_email": "root", "fleet_mint_secret": fleetSecret})
	assert.Equal(t, 400, root.fleet(map[string]any{"session_id": "Root", "agent_id": "a"}).status, "the administrator's own name")
	closed := startServer(t, nil)
	assert.Equal(t, 404, closed.post("/fleet/sessions", good, "X-Fleet-Secret", "").status)
	assert.Equal(t, 404, closed.post("/fleet/sessions", good, "X-Fleet-Secret", fleetSecret).status)
}

func TestIntrospection(t *testing.T) {
	s, admin := operated(t, nil)
	in := s.signIn(newWallet(t, "Ed25519"))
	byForm := func(token string) map[string]any {
		r := s.do(http.MethodPost, "/introspect", "application/x-www-form-urlencoded", []byte(url.Values{"token": {token}}.Encode()), bearer(admin)...)
		require.Equal(t, 200, r.status, "%s", r.body)
		assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
		return r.json(t)
	}
	active := byForm(in.Access)
	assert.Equal(t, true, active["active"])
	assert.Equal(t, in.Address, active["sub"])
	assert.Equal(t, "wallet", active["role"])
	assert.Equal(t, active, s.post("/introspect", map[string]any{"token": in.Access}, bearer(admin)...).json(t))
	s.do(http.MethodPost, "/introspect", "application/x-www-form-urlencoded", []byte("token=a&token="+in.Access), bearer(admin)...).
		problem(t, 400, `field "token" is given twice`)
	inactive := map[string]any{"active": false}
	for _, token := range []string{in.Refresh, "garbage", in.Access[:len(in.Access)-4] + "AAAA"} {
		assert.Equal(t, inactive, byForm(token))
	}
	s.post("/revoke", map[string]any{"jti": active["jti"]}, bearer(admin)...)
	assert.Equal(t, inactive, byForm(in.Access))
	assert.Equal(t, 400, s.post("/introspect", map[string]any{}, bearer(admin)...).status)
}

func TestKeysAreShownRotatedAndTakenOut(t *testing.T) {
	s, admin := operated(t, nil)
	in := s.signIn(newWallet(t, "Ed25519"))
	kid := jwtPart(t, in.Access, 0)["kid"].(string)
	states := func(r reply) map[string]string {
		require.Equal(t, 200, r.status, "%s", r.body)
		assert.NotContains(t, string(r.body), `"d"`)
		out := map[string]string{}
		for _, item := range r.json(t)["items"].([]any) {
			key := item.(map[string]any)
			out[key["kid"].(string)] = key["state"].(string)
			for _, field := range []string{"alg", "created_at", "activates_at", "retires_at"} {
				assert.Contains(t, key, field)
			}
		}
		return out
	}
	before := states(s.get("/keys", bearer(admin)...))
	assert.Equal(t, "active", before[kid])
	assert.Len(t, before, 2, "a published spare stands behind it")

	rotated := states(s.post("/keys/rotate", map[string]any{}, bearer(admin)...))
	assert.Equal(t, "active", rotated[kid], "the spare is too young to sign: clients may not have it")
	s.post("/keys/nonsense/compromised", map[string]any{}, bearer(admin)...).problem(t, 404, "there is no such key")

	r := s.post("/keys/"+kid+"/compromised", map[string]any{}, bearer(admin)...)
	after := states(r)
	assert.Equal(t, "removed", after[kid])
	assert.Equal(t, 401, s.introspectActive(in.Access))
	assert.Equal(t, 401, s.introspectActive(admin), "the operator's own token was signed with it too")
	assert.NotContains(t, string(s.get("/jwks").body), kid)
	next := s.signIn(newWallet(t, "Ed25519"))
	assert.NotEqual(t, kid, jwtPart(t, next.Access, 0)["kid"])
	assert.Equal(t, 200, s.introspectActive(next.Access))
}

func TestDiscovery(t *testing.T) {
	s := startServer(t, map[string]any{"issuer": "https://auth.example"})
	first, second := s.get("/.well-known/openid-configuration"), s.get("/.well-known/oauth-authorization-server")
	assert.Equal(t, first.json(t), second.json(t))
	document := first.json(t)
	for name, want := range map[string]any{
		"issuer": "https://auth.example", "jwks_uri": "https://auth.example/api/v1/auth/jwks?kty=RSA,EC,OKP",
		"introspection_endpoint": "https://auth.example/api/v1/auth/introspect", "response_types_supported": []any{},
		"id_token_signing_alg_values_supported": []any{"EdDSA"},
	} {
		assert.Equal(t, want, document[name], name)
	}
	assert.NotContains(t, document, "token_endpoint")
	assert.NotContains(t, document, "revocation_endpoint")
	quantum := startServer(t, map[string]any{"issuer": "https://auth.example", "algorithm": "ML-DSA-65"})
	assert.Equal(t, "https://auth.example/api/v1/auth/jwks", quantum.get("/.well-known/openid-configuration").json(t)["jwks_uri"])
}

func TestJWKS(t *testing.T) {
	for algorithm, kty := range map[string]string{"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "ML-DSA-44": "AKP", "ML-DSA-65": "AKP", "ML-DSA-87": "AKP"} {
		t.Run(algorithm, func(t *testing.T) {
			s := startServer(t, map[string]any{"algorithm": algorithm})
			r := s.get("/jwks")
			require.Equal(t, 200, r.status)
			assert.Equal(t, "application/json", r.header.Get("Content-Type"))
			assert.Regexp(t, `^public, max-age=([1-9]\d?|[12]\d\d|300)$`, r.header.Get("Cache-Control"))
			found := r.json(t)["keys"].([]any)
			require.Len(t, found, 2)
			for _, k := range found {
				key := k.(map[string]any)
				assert.Equal(t, kty, key["kty"])
				assert.Equal(t, algorithm, key["alg"])
				assert.Equal(t, "sig", key["use"])
				assert.Len(t, key["kid"], 43)
				for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "priv", "k"} {
					assert.NotContains(t, key, private)
				}
			}
			in := s.signIn(newWallet(t, "Ed25519"))
			assert.Equal(t, 200, s.introspectActive(in.Access), "validated by clientauth")
			assert.Len(t, s.get("/jwks?kty=" + kty).json(t)["keys"], 2)
			assert.Len(t, s.get("/jwks?kty=oct," + kty).json(t)["keys"], 2)
			assert.Empty(t, s.get("/jwks?kty=oct").json(t)["keys"])
			etag := r.header.Get("ETag")
			assert.Equal(t, 304, s.get("/jwks", "If-None-Match", etag).status)
			assert.Equal(t, 304, s.get("/jwks", "If-None-Match", `"x", W/`+etag).status)
			assert.Equal(t, 200, s.get("/jwks", "If-None-Match", `"x"`).status)
		})
	}
}

func TestMintsAreListed(t *testing.T) {
	s, admin := operated(t, nil)
	in := s.signIn(newWallet(t, "Ed25519"))
	claims := jwtPart(t, in.Access, 1)
	s.post("/revoke", map[string]any{"jti": claims["jti"]}, bearer(admin)...)
	r := s.get("/mints?limit=1", bearer(admin)...)
	require.Equal(t, 200, r.status, "%s", r.body)
	items := r.json(t)["items"].([]any)
	require.Len(t, items, 1)
	item := items[0].(map[string]any)
	for name, want := range map[string]any{
		"jti": claims["jti"], "sub": in.Address, "role": "wallet", "kind": "wallet", "iat": claims["iat"], "exp": claims["exp"], "revoked": true,
	} {
		assert.Equal(t, want, item[name], name)
	}
	for _, name := range []string{"scope", "agent_id", "session_id"} {
		assert.Contains(t, item, name)
	}
}

func TestIssueAccessToken(t *testing.T) {
	var issuer *serverauth.TokenIssuer
	s := startServer(t, nil, populate(&issuer))
	token, err := issuer.IssueAccessToken(context.Background(), serverauth.AccessTokenRequest{
		Subject: "job-1", Role: "batch", TTL: time.Minute, Extra: map[string]any{"tier": "gold"},
	})
	require.NoError(t, err)
	assert.Equal(t, 200, s.introspectActive(token))
	assert.Equal(t, "gold", jwtPart(t, token, 1)["tier"])
	for name, r := range map[string]serverauth.AccessTokenRequest{
		"no subject": {}, "reserved claim": {Subject: "a", Extra: map[string]any{"exp": 1}},
		"longer than its key is published": {Subject: "a", TTL: 365 * 24 * time.Hour},
	} {
		_, err := issuer.IssueAccessToken(context.Background(), r)
		assert.Error(t, err, name)
	}
	set, err := issuer.JWKS(context.Background())
	require.NoError(t, err)
	text, err := json.Marshal(set)
	require.NoError(t, err)
	assert.JSONEq(t, string(s.get("/jwks").body), string(text))
}

func TestTheIssuerGrantsTheClocksDifferenceToItsOwnTokens(t *testing.T) {
	backend, ahead, behind := newSharedBackend(t), testutil.NewClock(time.Now()), testutil.NewClock(time.Now().Add(-30*time.Second))
	settings := map[string]any{"storage_url": "shared:", "auto_create_admin": true, "admin_password": "correct horse"}
	first := startServer(t, settings, backend, testutil.WithClock(ahead))
	second := startServer(t, settings, backend, testutil.WithClock(behind))
	admin := first.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(t).Access
	assert.Equal(t, 200, second.get("/keys", bearer(admin)...).status)
}
