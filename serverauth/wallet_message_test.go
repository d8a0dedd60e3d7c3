package serverauth_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/mr-tron/base58"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

func TestChallengeOfAnEthereumAddressHasAMessage(t *testing.T) {
	s := startServer(t, map[string]any{"statement": "Sign in to the test."})
	w := newWallet(t, "eip191")
	c := s.ask(strings.ToLower(w.Address))
	assert.EqualValues(t, 300, c.TTL)
	lines := strings.Split(c.Message, "\n")
	require.Len(t, lines, 11)
	assert.Equal(t, "localhost:8100 wants you to sign in with your Ethereum account:", lines[0])
	assert.Equal(t, w.Address, lines[1], "checksummed")
	assert.Equal(t, "Sign in to the test.", lines[3])
	assert.Equal(t, "URI: http://localhost:8100", lines[5])
	assert.Equal(t, "Version: 1", lines[6])
	assert.Equal(t, "Chain ID: 1", lines[7])
	assert.Equal(t, "Nonce: "+c.Challenge, lines[8])
	assert.True(t, strings.HasPrefix(lines[9], "Issued At: "))
	assert.True(t, strings.HasPrefix(lines[10], "Expiration Time: "))
}

func TestEthereumSignIn(t *testing.T) {
	s := startServer(t, nil)
	w := newWallet(t, "eip191")
	for name, change := range map[string]func(map[string]any){
		"all fields":             func(map[string]any) {},
		"message alone":          func(b map[string]any) { delete(b, "address"); delete(b, "challenge") },
		"lowercase address":      func(b map[string]any) { b["address"] = strings.ToLower(w.Address) },
		"0x challenge uppercase": func(b map[string]any) { b["challenge"] = "0x" + strings.ToUpper(b["challenge"].(string)) },
		"base64 signature": func(b map[string]any) {
			raw, _ := hex.DecodeString(b["signature"].(string))
			b["signature"], b["encoding"] = base64.StdEncoding.EncodeToString(raw), "base64"
		},
	} {
		t.Run(name, func(t *testing.T) {
			body := s.signInBody(w)
			require.NotContains(t, body, "public_key")
			change(body)
			in := s.post("/sign-in", body).tokens(t)
			assert.Equal(t, w.Address, in.Address)
			claims := jwtPart(t, in.Access, 1)
			assert.Equal(t, "eip155:1:"+w.Address, claims["account"])
			assert.Equal(t, "eip191", claims["algorithm"])
			assert.Len(t, claims["wallet_id"], 43)
		})
	}
}

func TestSolanaSignIn(t *testing.T) {
	s := startServer(t, nil)
	w := newWallet(t, testutil.SolanaWallet)
	c := s.ask(w.Address)
	assert.True(t, strings.HasPrefix(c.Message, "localhost:8100 wants you to sign in with your Solana account:\n"+w.Address+"\n"))
	for name, change := range map[string]func(map[string]any){
		"all fields":    func(map[string]any) {},
		"message alone": func(b map[string]any) { delete(b, "address"); delete(b, "challenge"); delete(b, "public_key") },
		"base58": func(b map[string]any) {
			raw, _ := hex.DecodeString(b["signature"].(string))
			b["signature"], b["encoding"] = base58.Encode(raw), "base58"
		},
		"signed_message of plain text": func(b map[string]any) {
			b["signed_message"] = hex.EncodeToString([]byte(b["message"].(string)))
			delete(b, "message")
		},
	} {
		t.Run(name, func(t *testing.T) {
			body := s.signInBody(w)
			change(body)
			in := s.post("/sign-in", body).tokens(t)
			assert.Equal(t, w.Address, in.Address)
			assert.Equal(t, "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:"+w.Address, jwtPart(t, in.Access, 1)["account"])
		})
	}
}

func TestSolanaEnvelopeNamesItsSigner(t *testing.T) {
	s := startServer(t, nil)
	w, other := newWallet(t, testutil.SolanaWallet), newWallet(t, testutil.SolanaWallet)
	envelope := func(signer []byte) map[string]any {
		c := s.ask(w.Address)
		signed := append([]byte("\xffsolana offchain\x01\x01"), signer...)
		signed = append(signed, c.Message...)
		signature, err := w.Sign(signed)
		require.NoError(t, err)
		return map[string]any{
			"algorithm": "Ed25519", "address": w.Address, "encoding": "base64",
			"signed_message": base64.StdEncoding.EncodeToString(signed), "signature": base64.StdEncoding.EncodeToString(signature),
		}
	}
	assert.Equal(t, w.Address, s.post("/sign-in", envelope(w.PublicKey)).tokens(t).Address)
	s.post("/sign-in", envelope(other.PublicKey)).problem(t, 400, "address does not match verified public key")
}

func TestBareKeysSignAMessageWhenTheyAskForOne(t *testing.T) {
	s := startServer(t, nil)
	for _, algorithm := range []string{"Ed25519", "secp256k1", "ML-DSA-65"} {
		w := newWallet(t, algorithm)
		c := s.ask(w.Address, "algorithm", algorithm, "domain", "localhost:8100")
		assert.True(t, strings.HasPrefix(c.Message, "localhost:8100 wants you to sign in with your "+algorithm+" account:\n"+w.Address+"\n"), c.Message)
		assert.NotContains(t, c.Message, "Chain ID")
		in := s.post("/sign-in", signText(t, w, c.Message)).tokens(t)
		assert.NotContains(t, jwtPart(t, in.Access, 1), "account")
		assert.Empty(t, s.ask(w.Address, "algorithm", algorithm).Message, "without a domain there is none")
	}
}

func TestAnAddressOfAChainNeedsAMessage(t *testing.T) {
	s := startServer(t, nil)
	ethereum, solana := newWallet(t, "eip191"), newWallet(t, testutil.SolanaWallet)
	for _, w := range []*testutil.Wallet{ethereum, solana} {
		body := s.signInBody(w)
		delete(body, "message")
		sign(t, body, w)
		s.post("/sign-in", body).problem(t, 400, "message required")
	}
	lenient := startServer(t, map[string]any{"require_message": false})
	for _, w := range []*testutil.Wallet{ethereum, solana} {
		body := lenient.signInBody(w)
		delete(body, "message")
		sign(t, body, w)
		assert.Equal(t, w.Address, lenient.post("/sign-in", body).tokens(t).Address)
	}
}

func TestWhatAMessageSignInNeeds(t *testing.T) {
	s := startServer(t, nil)
	ethereum, solana, raw := newWallet(t, "eip191"), newWallet(t, testutil.SolanaWallet), newWallet(t, "Ed25519")
	short, long := "signature, and a message or an address and challenge, required", "address, public_key, signature, and challenge required"
	s.post("/sign-in", map[string]any{"algorithm": "eip191"}).problem(t, 400, short)
	s.post("/sign-in", map[string]any{"algorithm": "eip191", "address": ethereum.Address, "signature": "00"}).problem(t, 400, short)
	s.post("/sign-in", map[string]any{"algorithm": "Ed25519", "address": solana.Address, "challenge": "00"}).problem(t, 400, short)
	s.post("/sign-in", map[string]any{"algorithm": "Ed25519", "address": raw.Address, "challenge": "00", "signature": "00"}).problem(t, 400, long)
	c := s.ask(raw.Address, "algorithm", "Ed25519", "domain", "localhost:8100")
	body := signText(t, raw, c.Message)
	delete(body, "public_key")
	s.post("/sign-in", body).problem(t, 400, long)
}

func TestMessageRefusals(t *testing.T) {
	clock := testutil.NewClock(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	s := startServer(t, map[string]any{"allowed_domains": []string{"example.org", "localhost:8100"}}, testutil.WithClock(clock))
	w, other := newWallet(t, "eip191"), newWallet(t, "eip191")
	at := func(d time.Duration) string { return clock.Now().Add(d).Format(time.RFC3339) }
	replace := func(old, replacement string) func(string) string {
		return func(text string) string {
			require.Contains(t, text, old)
			return strings.Replace(text, old, replacement, 1)
		}
	}
	for _, test := range []struct {
		name   string
		change func(string) string
		status int
		code   string
	}{
		{"another domain", replace("example.org wants", "evil.example wants"), 401, "domain_mismatch"},
		{"user information", replace("example.org wants", "example.org@evil.example wants"), 401, "domain_mismatch"},
		{"another port", replace("example.org wants", "example.org:8443 wants"), 401, "domain_mismatch"},
		{"a scheme that is not allowed", replace("example.org wants", "http://example.org wants"), 401, "domain_mismatch"},
		{"another URI", replace("URI: https://example.org", "URI: https://evil.example"), 401, "uri_mismatch"},
		{"another chain", replace("Chain ID: 1", "Chain ID: 137"), 401, "chain_not_allowed"},
		{"issued in the future", replace("Issued At: "+at(0), "Issued At: "+at(61*time.Second)), 401, "issued_at_out_of_range"},
		{"issued long ago", replace("Issued At: "+at(0), "Issued At: "+at(-361*time.Second)), 401, "issued_at_out_of_range"},
		{"expired", replace("Expiration Time: "+at(300*time.Second), "Expiration Time: "+at(-61*time.Second)), 401, "message_expired"},
		{"not yet valid", func(text string) string { return text + "\nNot Before: " + at(61*time.Second) }, 401, "message_not_yet_valid"},
		{"no time", replace("Issued At: "+at(0), "Issued At: yesterday"), 400, "malformed_message"},
		{"carriage return", replace("\n", "\r\n"), 400, "malformed_message"},
		{"version", replace("Version: 1", "Version: 2"), 400, "malformed_message"},
		{"line feed at the end", func(text string) string { return text + "\n" }, 400, "malformed_message"},
		{"no checksum", replace(w.Address, strings.ToLower(w.Address)), 400, "bad_checksum"},
		{"another nonce", replace("Nonce: ", "Nonce: 0"), 401, "invalid_challenge"},
		{"another's address", replace(w.Address, other.Address), 401, "challenge_of_another_address"},
		{"no message at all", func(string) string { return "hello" }, 400, "malformed_message"},
		{"huge", func(text string) string { return text + "\nRequest ID: " + strings.Repeat("a", 17<<10) }, 400, "malformed_message"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := s.post("/sign-in", signText(t, w, test.change(s.ask(w.Address).Message)))
			assert.Equal(t, test.status, r.status, "%s", r.body)
			assert.Equal(t, test.code, r.json(t)["code"], "%s", r.body)
		})
	}
	t.Run("as it is", func(t *testing.T) { s.post("/sign-in", signText(t, w, s.ask(w.Address).Message)).tokens(t) })
	t.Run("another's signature", func(t *testing.T) {
		s.post("/sign-in", signText(t, other, s.ask(w.Address).Message)).problem(t, 401, "signature verification failed")
	})
	t.Run("another challenge beside it", func(t *testing.T) {
		body := signText(t, w, s.ask(w.Address).Message)
		body["challenge"] = s.challenge(w.Address)
		s.post("/sign-in", body).problem(t, 400, "challenge does not match message")
	})
	t.Run("another address beside it", func(t *testing.T) {
		body := signText(t, w, s.ask(w.Address).Message)
		body["address"] = other.Address
		s.post("/sign-in", body).problem(t, 400, "address does not match verified public key")
	})
	t.Run("unknown encoding", func(t *testing.T) {
		body := signText(t, w, s.ask(w.Address).Message)
		body["encoding"] = "rot13"
		s.post("/sign-in", body).problem(t, 400, "unknown encoding: rot13")
	})
	for encoding, bad := range map[string]string{"base58": "0OIl", "base64": "AB", "hex": "xyz"} {
		t.Run("bad "+encoding, func(t *testing.T) {
			body := signText(t, w, s.ask(w.Address).Message)
			body["encoding"], body["signature"] = encoding, bad
			s.post("/sign-in", body).problem(t, 400, "invalid "+encoding+" encoding")
		})
	}
}

// A page's own origin never has its scheme's port, whether or not the issuer is written with it.
func TestAnIssuerWithItsSchemesPort(t *testing.T) {
	for issuer, origin := range map[string]string{"https://auth.example:443/a": "https://auth.example", "http://Auth.example:80": "http://auth.example"} {
		s := startServer(t, map[string]any{"issuer": issuer})
		message := s.post("/challenge", map[string]any{"address": newWallet(t, "eip191").Address}, "Origin", origin).json(t)["message"]
		assert.Contains(t, message, "\nURI: "+origin+"\n")
	}
}

func TestChallengeMessageRefusalsAndChoice(t *testing.T) {
	s := startServer(t, map[string]any{
		"allowed_domains": []string{"first.example", "http://second.example:8080"}, "allowed_chains": []string{"eip155:1", "eip155:137"},
	})
	w, solana := newWallet(t, "eip191"), newWallet(t, testutil.SolanaWallet)
	ask := func(fields map[string]any, header ...string) reply {
		fields["address"] = w.Address
		return s.post("/challenge", fields, header...)
	}
	ask(map[string]any{"domain": "evil.example"}).problem(t, 400, "domain not allowed")
	ask(map[string]any{"chain_id": "1"}).problem(t, 400, "invalid chain_id")
	ask(map[string]any{"chain_id": "eip155:10"}).problem(t, 400, "chain not allowed")
	s.post("/challenge", map[string]any{"address": solana.Address}).problem(t, 400, "chain not allowed")
	flipped := []byte(w.Address)
	for i, c := range flipped[2:] {
		if c >= 'a' && c <= 'f' {
			flipped[i+2] = c - 32
			break
		}
	}
	s.post("/challenge", map[string]any{"address": string(flipped)}).problem(t, 400, "address checksum is wrong")

	message := func(r reply) string { return r.json(t)["message"].(string) }
	assert.Contains(t, message(ask(map[string]any{})), "first.example wants")
	assert.Contains(t, message(ask(map[string]any{"chain_id": "eip155:137"})), "\nChain ID: 137\n")
	second := message(ask(map[string]any{"domain": "second.example:8080"}))
	assert.Contains(t, second, "second.example:8080 wants")
	assert.Contains(t, second, "\nURI: http://second.example:8080\n")
	assert.Contains(t, message(ask(map[string]any{}, "Origin", "http://second.example:8080")), "second.example:8080 wants")
	assert.Contains(t, message(ask(map[string]any{"domain": "first.example"}, "Origin", "http://second.example:8080")), "first.example wants")
	for _, origin := range []string{"https://evil.example", "http://first.example", "https://second.example:8080", "null", "https://first.example.evil.example"} {
		ask(map[string]any{}, "Origin", origin).problem(t, 400, "domain not allowed")
		assert.Equal(t, "domain_not_allowed", s.post("/challenge", map[string]any{}, "Origin", origin).json(t)["code"], origin)
	}
}
