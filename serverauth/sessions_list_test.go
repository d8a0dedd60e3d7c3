package serverauth_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/wallet"
	"github.com/picoauth/picoauth/testutil"
)

// sessionList is what GET /sessions answers.
func (s *server) sessionList(query, token string) (items []map[string]any, next string) {
	s.t.Helper()
	r := s.get("/sessions"+query, bearer(token)...)
	require.Equal(s.t, http.StatusOK, r.status, "body: %s", r.body)
	page := r.json(s.t)
	for _, item := range page["items"].([]any) {
		items = append(items, item.(map[string]any))
	}
	next, _ = page["next"].(string)
	return items, next
}

func sidOf(t testing.TB, in tokens) string {
	t.Helper()
	return jwtPart(t, in.Access, 1)["sid"].(string)
}

func sids(items []map[string]any) (ids []string) {
	for _, item := range items {
		ids = append(ids, item["sid"].(string))
	}
	return ids
}

// One thumbprint in seventy has no character that base58 lacks, and some of these read as the address of a Solana wallet.
func TestSessionsOfAThumbprintThatReadsAsSolana(t *testing.T) {
	s := startServer(t, map[string]any{"supported_wallet_algorithms": "ML-DSA-44", "auto_create_admin": true, "admin_password": "correct horse"})
	for i := range uint32(100_000) {
		var seed [testutil.WalletSeedSize]byte
		binary.BigEndian.PutUint32(seed[:], i)
		w, err := testutil.WalletFromSeed("ML-DSA-44", seed)
		require.NoError(t, err)
		thumbprint := jose.ThumbprintAKP("ML-DSA-44", w.PublicKey)
		if wallet.ReadAddress(thumbprint).Kind() != wallet.Solana {
			continue
		}
		in := s.signIn(w)
		for name, token := range map[string]string{"own": in.Access, "an operator's": s.admin()} {
			items, _ := s.sessionList("?sub="+thumbprint, token)
			assert.Equal(t, []string{sidOf(t, in)}, sids(items), name)
		}
		return
	}
	t.Fatal("no thumbprint reads so")
}

func TestSessionsAreListed(t *testing.T) {
	clock := testutil.NewClock(time.Unix(1_795_000_000, 0))
	s := startServer(t, map[string]any{"auto_create_admin": true, "admin_password": "correct horse"}, testutil.WithClock(clock))
	w := newWallet(t, "eip191")
	body := s.signInBody(w)
	clock.Advance(time.Second)
	first := s.post("/sign-in", body, "User-Agent", "Brow\u202eser/1\u200b "+strings.Repeat("ä", 300)).tokens(t)
	clock.Advance(time.Second)
	second := s.signIn(w)
	clock.Advance(time.Second)
	second = s.refresh(second.Refresh).tokens(t)
	admin := s.admin()

	items, next := s.sessionList("", admin)
	require.Len(t, items, 3)
	assert.Empty(t, next)
	assert.Equal(t, "admin", items[0]["kind"])
	assert.Equal(t, []string{sidOf(t, second), sidOf(t, first)}, sids(items)[1:])
	assert.Equal(t, map[string]any{
		"sid": sidOf(t, first), "sub": w.Address, "kind": "wallet", "algorithm": "eip191", "client_id": "", "request_id": "",
		"started_at": "2026-11-18T11:06:41Z", "rotated_at": "2026-11-18T11:06:41Z", "expires_at": "2026-11-25T11:06:41Z",
		"client": "127.0.0.1", "user_agent": "Browser/1 " + strings.Repeat("ä", 123),
	}, items[2])
	assert.Equal(t, "2026-11-18T11:06:43Z", items[1]["rotated_at"])
	assert.Equal(t, "2026-11-25T11:06:43Z", items[1]["expires_at"])

	mine, _ := s.sessionList("", second.Access)
	assert.Equal(t, []string{sidOf(t, second), sidOf(t, first)}, sids(mine), "one's own")
	for _, form := range []string{w.Address, strings.ToLower(w.Address)} {
		of, _ := s.sessionList("?sub="+url.QueryEscape(form), admin)
		assert.Equal(t, sids(mine), sids(of), form)
		of, _ = s.sessionList("?sub="+url.QueryEscape(form), second.Access)
		assert.Equal(t, sids(mine), sids(of), form)
	}
	for _, form := range []string{w.Address[2:], "0X" + strings.ToUpper(w.Address[2:]), " " + w.Address + " ", "did:pkh:eip155:10:" + w.Address} {
		of, _ := s.sessionList("?sub="+url.QueryEscape(form), admin)
		assert.Equal(t, sids(mine), sids(of), form)
	}
	for _, form := range []string{"admin@pico.local", "ADMIN@Pico.local "} {
		of, _ := s.sessionList("?sub="+url.QueryEscape(form), admin)
		assert.Equal(t, sids(items)[:1], sids(of), form)
	}
	key := newWallet(t, "Ed25519")
	keyed := s.signIn(key)
	for _, form := range []string{strings.ToUpper(key.Address), "0x" + key.Address, jwtPart(t, keyed.Access, 1)["wallet_id"].(string)} {
		of, _ := s.sessionList("?sub="+url.QueryEscape(form), admin)
		assert.Equal(t, []string{sidOf(t, keyed)}, sids(of), form)
	}
	s.get("/sessions?sub=%20", bearer(admin)...).problem(t, 400, "sub is blank")
	none, _ := s.sessionList("?sub=nobody", admin)
	assert.Empty(t, none)
}

func TestSessionsByPages(t *testing.T) {
	s := startServer(t, adminSettings)
	admin := s.admin()
	var want []string
	w := newWallet(t, "Ed25519")
	for range 7 {
		want = append([]string{sidOf(t, s.signIn(w))}, want...)
	}
	var got []string
	items, next := s.sessionList("?limit=3&sub="+w.Address, admin)
	got = append(got, sids(items)...)
	for pages := 1; next != ""; pages++ {
		require.Less(t, pages, 3)
		items, next = s.sessionList("?limit=3&sub="+w.Address+"&before="+next, admin)
		got = append(got, sids(items)...)
	}
	assert.ElementsMatch(t, want, got)
	last, next := s.sessionList("?limit=7&sub="+w.Address, admin)
	assert.Len(t, last, 7)
	assert.Empty(t, next, "there is no page after the last")
	all, _ := s.sessionList("?limit=5000", admin)
	assert.Len(t, all, 8)
}

func TestSessionsRefusals(t *testing.T) {
	s, admin := operated(t, nil)
	in, stranger := s.signIn(newWallet(t, "Ed25519")), s.signIn(newWallet(t, "Ed25519"))
	assert.Equal(t, 401, s.get("/sessions").status)
	assert.Equal(t, 401, s.get("/sessions?x=1").status)
	s.get("/sessions?sub="+stranger.Address, bearer(in.Access)...).problem(t, 403, "the role of the token does not permit this")
	s.get("/sessions", bearer(s.fleetToken("agent"))...).problem(t, 403, "the role of the token does not permit this")
	s.get("/sessions?subject=x", bearer(admin)...).problem(t, 400, `unknown query parameter: "subject"`)
	s.get("/sessions?limit=0", bearer(admin)...).problem(t, 400, "limit must be a whole number from 1 to 1000")
	for _, before := range []string{"x", "!", base64.RawURLEncoding.EncodeToString([]byte("12 ")), base64.RawURLEncoding.EncodeToString([]byte("x sid"))} {
		s.get("/sessions?before="+before, bearer(admin)...).problem(t, 400, "before is not the next of a page")
	}
}

func TestASessionIsEnded(t *testing.T) {
	s, log := watched(t, map[string]any{"auto_create_admin": true, "admin_password": "correct horse", "fleet_mint_secret": fleetSecret})
	admin := s.admin()
	end := func(sid, token string) reply {
		return s.do(http.MethodDelete, "/sessions/"+sid, "", nil, bearer(token)...)
	}
	w := newWallet(t, "Ed25519")
	first, second, stranger := s.signIn(w), s.signIn(w), s.signIn(newWallet(t, "Ed25519"))

	end(sidOf(t, stranger), first.Access).problem(t, 404, "there is no such session")
	end("nobody", admin).problem(t, 404, "there is no such session")
	end(sidOf(t, first), s.fleetToken("agent")).problem(t, 403, "the role of the token does not permit this")
	assert.Equal(t, 401, s.do(http.MethodDelete, "/sessions/"+sidOf(t, first), "", nil).status)
	end(sidOf(t, first)+"?x=1", admin).problem(t, 400, `unknown query parameter: "x"`)
	assert.Empty(t, log.events(t, "session_ended"))

	assert.Equal(t, 204, end(sidOf(t, second), first.Access).status)
	log.expect(t, "session_ended", "INFO", map[string]any{"sid": sidOf(t, second), "subject": w.Address, "by": w.Address, "client": "127.0.0.1"})
	assert.Equal(t, 401, s.introspectActive(second.Access))
	s.refresh(second.Refresh).problem(t, 401, "refresh invalid: session has ended")
	end(sidOf(t, second), first.Access).problem(t, 404, "there is no such session")

	assert.Equal(t, 204, end(sidOf(t, stranger), admin).status)
	assert.Equal(t, 401, s.introspectActive(stranger.Access))
	assert.Equal(t, 204, end(sidOf(t, first), first.Access).status, "that of the token itself")
	assert.Equal(t, 401, s.introspectActive(first.Access))
	items, _ := s.sessionList("", admin)
	assert.Len(t, items, 1, fmt.Sprint(items))
}
