package serverauth_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

func TestSignInIssuesTokensForEachAlgorithm(t *testing.T) {
	s := startServer(t, map[string]any{"supported_wallet_algorithms": []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "Ed25519", "secp256k1", "eip191"}})
	for _, algorithm := range testutil.WalletAlgorithms() {
		t.Run(algorithm, func(t *testing.T) {
			w := newWallet(t, algorithm)
			in := s.signIn(w)
			assert.Equal(t, "Bearer", in.Type)
			assert.Equal(t, 900, in.ExpiresIn)
			assert.Equal(t, w.Algorithm, in.Algorithm)

			header := jwtPart(t, in.Access, 0)
			assert.Equal(t, "at+jwt", header["typ"])
			assert.Equal(t, "EdDSA", header["alg"])
			assert.Len(t, header["kid"], 43)

			claims := jwtPart(t, in.Access, 1)
			for name, want := range map[string]any{
				"iss": "http://localhost:8100", "aud": "pico", "client_id": "pico", "role": "wallet",
				"algorithm": w.Algorithm, "sub": in.Address, "wallet_address": in.Address, "wallet_kind": "key",
			} {
				assert.Equal(t, want, claims[name], name)
			}
			assert.Len(t, claims["wallet_id"], 43)
			assert.Len(t, claims["jti"], 22)
			assert.Len(t, claims["sid"], 22)
			assert.Equal(t, claims["iat"], claims["nbf"])
			assert.InDelta(t, claims["iat"].(float64)+900, claims["exp"], 0)
			if strings.HasPrefix(algorithm, "ML-DSA") {
				assert.Equal(t, claims["wallet_id"], in.Address, "an ML-DSA wallet is known by its thumbprint")
			} else {
				assert.Equal(t, w.Address, in.Address)
			}

			refresh := jwtPart(t, in.Refresh, 1)
			assert.Equal(t, "rt+jwt", jwtPart(t, in.Refresh, 0)["typ"])
			assert.Equal(t, "refresh", refresh["type"])
			assert.Equal(t, claims["sid"], refresh["sid"])
		})
	}
}

func TestSignInReadsAddressAndHexInAnyForm(t *testing.T) {
	s := startServer(t, nil)
	w := newWallet(t, "Ed25519")
	lower := w.Address
	for name, change := range map[string]func(map[string]any){
		"as it is":          func(map[string]any) {},
		"uppercase address": func(b map[string]any) { b["address"] = strings.ToUpper(lower) },
		"0x everywhere": func(b map[string]any) {
			for _, field := range []string{"address", "public_key", "signature", "challenge"} {
				b[field] = "0x" + b[field].(string)
			}
		},
		"uppercase challenge": func(b map[string]any) { b["challenge"] = strings.ToUpper(b["challenge"].(string)) },
	} {
		t.Run(name, func(t *testing.T) {
			body := s.signInBody(w)
			change(body)
			assert.Equal(t, lower, s.post("/sign-in", body).tokens(t).Address, "one wallet is one subject")
		})
	}
}

func TestSignInRefusals(t *testing.T) {
	s := startServer(t, nil)
	w, other := newWallet(t, "Ed25519"), newWallet(t, "Ed25519")
	required := "address, public_key, signature, and challenge required"
	for _, test := range []struct {
		name   string
		change func(map[string]any)
		status int
		detail string
	}{
		{"no address", func(b map[string]any) { delete(b, "address") }, 400, required},
		{"empty key", func(b map[string]any) { b["public_key"] = "" }, 400, required},
		{"null signature", func(b map[string]any) { b["signature"] = nil }, 400, required},
		{"no challenge", func(b map[string]any) { delete(b, "challenge") }, 400, required},
		{"unknown algorithm", func(b map[string]any) { b["algorithm"] = "RSA" }, 400, "unsupported wallet algorithm: RSA"},
		{"key is no hex", func(b map[string]any) { b["public_key"] = "zz" }, 400, "invalid hex encoding"},
		{"signature is odd hex", func(b map[string]any) { b["signature"] = "abc" }, 400, "invalid hex encoding"},
		{"number for address", func(b map[string]any) { b["address"] = 7 }, 400, "field address must be a string"},
		{"another's address", func(b map[string]any) {
			b["address"] = other.Address
			b["challenge"] = s.challenge(other.Address)
			sign(t, b, w)
		},
			400, "address does not match verified public key"},
		{"another's challenge", func(b map[string]any) { b["challenge"] = s.challenge(other.Address); sign(t, b, w) },
			401, "invalid or expired challenge"},
		{"made-up challenge", func(b map[string]any) { b["challenge"] = strings.Repeat("ab", 32); sign(t, b, w) },
			401, "invalid or expired challenge"},
		{"a challenge of text", func(b map[string]any) { b["challenge"] = "hello"; sign(t, b, w) }, 401, "invalid or expired challenge"},
		{"signature of another text", func(b map[string]any) { b["signature"] = strings.Repeat("00", 64) }, 401, "signature verification failed"},
		{"short signature", func(b map[string]any) { b["signature"] = "00" }, 401, "signature verification failed"},
		{"short key", func(b map[string]any) { b["public_key"] = "00" }, 401, "signature verification failed"},
		{"low-order key", func(b map[string]any) { b["public_key"] = strings.Repeat("00", 32) }, 401, "signature verification failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := s.signInBody(w)
			test.change(body)
			s.post("/sign-in", body).problem(t, test.status, test.detail)
		})
	}
}

func TestSignatureRefusalsNameTheRule(t *testing.T) {
	s := startServer(t, nil)
	w := newWallet(t, "Ed25519")
	for code, change := range map[string]func(map[string]any){
		"wrong_length":      func(b map[string]any) { b["signature"] = "00" },
		"low_order_key":     func(b map[string]any) { b["public_key"] = strings.Repeat("00", 32) },
		"invalid_signature": func(b map[string]any) { b["signature"] = strings.Repeat("00", 64) },
	} {
		body := s.signInBody(w)
		change(body)
		assert.Equal(t, code, s.post("/sign-in", body).json(t)["code"])
	}
}

func TestAChallengeIsSpentByTheFirstSignInEvenIfItFails(t *testing.T) {
	s := startServer(t, nil)
	w := newWallet(t, "Ed25519")
	body := s.signInBody(w)
	right := body["signature"]
	body["signature"] = strings.Repeat("00", 64)
	s.post("/sign-in", body).problem(t, 401, "signature verification failed")
	body["signature"] = right
	s.post("/sign-in", body).problem(t, 401, "invalid or expired challenge")
}

func TestAMalformedSignInSpendsNothing(t *testing.T) {
	s := startServer(t, nil)
	body := s.signInBody(newWallet(t, "Ed25519"))
	right := body["signature"]
	body["signature"] = "zz"
	s.post("/sign-in", body).problem(t, 400, "invalid hex encoding")
	body["signature"] = right
	s.post("/sign-in", body).tokens(t)
}

func TestOneChallengeOf64SimultaneousSignInsExactlyOneSucceeds(t *testing.T) {
	s := startServer(t, nil)
	body := s.signInBody(newWallet(t, "Ed25519"))
	accepted, refused := s.signInTogether(slices.Repeat([]map[string]any{body}, 64)...)
	assert.Equal(t, 1, accepted)
	assert.Equal(t, 63, refused)
}

func TestPendingChallengesOfOneAddressDoNotDisturbEachOther(t *testing.T) {
	s := startServer(t, nil)
	w := newWallet(t, "Ed25519")
	first := s.signInBody(w)
	for range 100 {
		s.challenge(w.Address)
	}
	s.post("/sign-in", first).tokens(t)
}

func TestChallengeReply(t *testing.T) {
	s := startServer(t, map[string]any{"challenge_ttl_seconds": 42})
	r := s.post("/challenge", map[string]any{"address": "ab", "unknown": []int{1}})
	require.Equal(t, 200, r.status)
	assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
	body := r.json(t)
	assert.Regexp(t, regexp.MustCompile(`^[0-9a-f]{64}$`), body["challenge"])
	assert.EqualValues(t, 42, body["ttl"])
	expires, err := time.Parse(time.RFC3339, body["expires_at"].(string))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(42*time.Second), expires, 5*time.Second)
	assert.True(t, strings.HasSuffix(body["expires_at"].(string), "Z"))
}

func TestChallengeRefusals(t *testing.T) {
	s := startServer(t, nil)
	s.post("/challenge", map[string]any{"address": ""}).problem(t, 400, "address required")
	s.post("/challenge", map[string]any{"address": strings.Repeat("a", 8193)}).problem(t, 400, "address too long")
	s.post("/challenge", map[string]any{"address": "ab", "algorithm": "X"}).problem(t, 400, "unsupported wallet algorithm: X")
	s.post("/challenge", map[string]any{"address": []int{}}).problem(t, 400, "field address must be a string")
}

func TestChallengeExpires(t *testing.T) {
	clock := testutil.NewClock(time.Now())
	s := startServer(t, nil, testutil.WithClock(clock))
	w := newWallet(t, "Ed25519")
	early, late := s.signInBody(w), s.signInBody(w)
	clock.Advance(60*time.Second - time.Millisecond)
	s.post("/sign-in", early).tokens(t)
	clock.Advance(time.Millisecond)
	s.post("/sign-in", late).problem(t, 401, "invalid or expired challenge")
}
