package serverauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

// nobodys asks a challenge without an address.
func (s *server) nobodys(t testing.TB) string {
	t.Helper()
	r := s.post("/challenge", map[string]any{})
	require.Equal(t, http.StatusOK, r.status, "%s", r.body)
	return r.json(t)["challenge"].(string)
}

// messageOf is a message of the wallet that holds the nonce, as a kit builds it.
func (s *server) messageOf(w *testutil.Wallet, nonce string, fields ...string) string {
	asked := s.ask(w.Address, fields...)
	return strings.Replace(asked.Message, asked.Challenge, nonce, 1)
}

func TestAChallengeNeedsNoAddress(t *testing.T) {
	s := startServer(t, map[string]any{"challenge_ttl_seconds": 42, "message_ttl_seconds": 200})
	for name, body := range map[string]string{
		"no body": "", "empty object": "{}", "null": `{"address":null}`, "algorithm and domain": `{"algorithm":"Ed25519","domain":"localhost:8100"}`,
	} {
		contentType := ""
		if body != "" {
			contentType = "application/json"
		}
		r := s.do(http.MethodPost, "/challenge", contentType, []byte(body))
		require.Equal(t, http.StatusOK, r.status, "%s: %s", name, r.body)
		assert.EqualValues(t, 200, r.json(t)["ttl"], name)
		assert.Len(t, r.json(t)["challenge"], 64, name)
		assert.NotContains(t, r.json(t), "message", name)
	}
	s.post("/challenge", map[string]any{"address": ""}).problem(t, 400, "address required")
}

func TestAMessageOfWhateverAddressSpendsAChallengeOfNone(t *testing.T) {
	s := startServer(t, nil)
	for _, kind := range []string{"eip191", testutil.SolanaWallet, "Ed25519"} {
		w, nonce := newWallet(t, kind), s.nobodys(t)
		body := signText(t, w, s.messageOf(w, nonce, "algorithm", w.Algorithm, "domain", "localhost:8100"))
		assert.Equal(t, w.Address, s.post("/sign-in", body).tokens(t).Address, kind)
		r := s.post("/sign-in", body)
		r.problem(t, 401, "invalid or expired challenge")
		assert.Equal(t, "invalid_challenge", r.json(t)["code"], "spent, and nobody else's")
		other := newWallet(t, kind)
		s.post("/sign-in", signText(t, other, s.messageOf(other, nonce, "algorithm", w.Algorithm, "domain", "localhost:8100"))).
			problem(t, 401, "invalid or expired challenge")
	}
}

func TestABareNonceNeedsItsAddress(t *testing.T) {
	s := startServer(t, map[string]any{"require_message": false})
	nonce := s.nobodys(t)
	for _, kind := range []string{"Ed25519", "secp256k1", "ML-DSA-65", "eip191", testutil.SolanaWallet} {
		body := s.signInBody(newWallet(t, kind))
		delete(body, "message")
		body["challenge"] = nonce
		w := newWallet(t, kind)
		body["address"] = w.Address
		if w.PublicKey != nil {
			body["public_key"] = w.PublicKeyHex()
		}
		sign(t, body, w)
		s.post("/sign-in", body).problem(t, 401, "invalid or expired challenge")
	}
	w := newWallet(t, "eip191")
	s.post("/sign-in", signText(t, w, s.messageOf(w, nonce))).tokens(t)
}

func TestAChallengeOfNoneLivesAsLongAsAMessage(t *testing.T) {
	clock := testutil.NewClock(time.Now())
	s := startServer(t, nil, testutil.WithClock(clock))
	w, early, late := newWallet(t, "eip191"), s.nobodys(t), s.nobodys(t)
	clock.Advance(300*time.Second - time.Millisecond)
	s.post("/sign-in", signText(t, w, s.messageOf(w, early))).tokens(t)
	clock.Advance(time.Millisecond)
	s.post("/sign-in", signText(t, w, s.messageOf(w, late))).problem(t, 401, "invalid or expired challenge")
}

func TestOf64SignInsWithOneChallengeOfNoneOneSucceeds(t *testing.T) {
	s := startServer(t, nil)
	nonce := s.nobodys(t)
	var bodies []map[string]any
	for range 64 {
		w := newWallet(t, "eip191")
		bodies = append(bodies, signText(t, w, s.messageOf(w, nonce)))
	}
	accepted, refused := s.signInTogether(bodies...)
	assert.Equal(t, 1, accepted)
	assert.Equal(t, 63, refused)
}

func TestAChallengeOfAnotherAccountIsSaidAndNotSpent(t *testing.T) {
	s := startServer(t, nil)
	w, stranger := newWallet(t, "eip191"), newWallet(t, "eip191")
	own := s.signInBody(w)
	nonce := own["challenge"].(string)
	for range 3 {
		r := s.post("/sign-in", signText(t, stranger, s.messageOf(stranger, nonce)))
		r.problem(t, 401, "invalid or expired challenge")
		r.expectHint(t, 401, "challenge_of_another_address", "another account")
		assert.NotContains(t, strings.ToLower(string(r.body)), strings.ToLower(w.Address[2:]), "it does not tell whose")
	}
	bare := s.signInBody(newWallet(t, "Ed25519"))
	raw := newWallet(t, "Ed25519")
	bare["address"], bare["public_key"], bare["challenge"] = raw.Address, raw.PublicKeyHex(), nonce
	sign(t, bare, raw)
	assert.Equal(t, "challenge_of_another_address", s.post("/sign-in", bare).json(t)["code"])

	s.post("/sign-in", own).tokens(t)
	assert.Equal(t, "invalid_challenge", s.post("/sign-in", own).json(t)["code"], "its own, spent")
}
