package serverauth_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

var hintSettings = map[string]any{
	"allowed_domains": []string{"app.example.com"}, "allowed_chains": []string{"eip155:1", "eip155:137", "solana:mainnet"},
	"supported_wallet_algorithms": []string{"ML-DSA-65", "Ed25519", "secp256k1", "eip191"},
}

// expectHint asserts the code of a problem and what its hint says.
func (r reply) expectHint(t *testing.T, status int, code string, says ...string) {
	t.Helper()
	assert.Equal(t, status, r.status, "body: %s", r.body)
	body := r.json(t)
	assert.Equal(t, code, body["code"])
	hint, _ := body["hint"].(string)
	for _, text := range says {
		assert.Contains(t, hint, text)
	}
}

func TestRefusedSignaturesSayWhatHasTheWrongForm(t *testing.T) {
	s := startServer(t, hintSettings)
	for _, test := range []struct {
		name, algorithm string
		change          func(map[string]any)
		code            string
		says            []string
	}{
		{"Ed25519 signature", "Ed25519", put("signature", "00"), "wrong_length", []string{"the signature has 1 bytes", "64"}},
		{"Ed25519 key", "Ed25519", put("public_key", strings.Repeat("11", 33)), "wrong_length", []string{"the public key has 33 bytes", "32"}},
		{"ML-DSA signature", "ML-DSA-65", put("signature", "00"), "wrong_length", []string{"the signature has 1 bytes", "3309"}},
		{"ML-DSA key", "ML-DSA-65", put("public_key", "00"), "wrong_length", []string{"the public key has 1 bytes", "1952"}},
		{"secp256k1 with v", "secp256k1", put("signature", strings.Repeat("11", 65)), "wrong_length", []string{"the signature has 65 bytes", "without v"}},
		{"secp256k1 key without 04", "secp256k1", put("public_key", strings.Repeat("11", 64)), "wrong_length", []string{"the public key has 64 bytes", "04"}},
		{"high s", "secp256k1", put("signature", "11"+strings.Repeat("11", 31)+strings.Repeat("f0", 32)), "high_s", []string{"above half"}},
		{"no key of Ed25519", "Ed25519", put("public_key", strings.Repeat("ff", 31)+"7f"), "invalid_signature", []string{"the public key is not canonical"}},
		{"a hybrid key", "secp256k1", put("public_key", "06"+strings.Repeat("11", 64)), "invalid_signature", []string{"the public key", "begin with 06", "04"}},
		{"no point of the curve", "secp256k1", put("public_key", "02"+strings.Repeat("ff", 32)), "invalid_signature", []string{"the public key is not a point"}},
		{"an r of 0", "secp256k1", put("signature", strings.Repeat("00", 64)), "invalid_signature", []string{"the signature has an r or s"}},
		{"no DER after all", "secp256k1", put("signature", "3006"+strings.Repeat("00", 6)), "invalid_signature", []string{"the signature begins like DER"}},
		{"the wrong text", "Ed25519", put("signature", strings.Repeat("11", 64)), "invalid_signature", []string{"64 lowercase hex characters"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := s.signInBody(newWallet(t, test.algorithm))
			test.change(body)
			r := s.post("/sign-in", body)
			r.expectHint(t, 401, test.code, test.says...)
			assert.Equal(t, "signature verification failed", r.json(t)["detail"], "the text of the table")
		})
	}
}

func put(name string, value any) func(map[string]any) {
	return func(body map[string]any) { body[name] = value }
}

// useWallet's signMessage returns the signature alone, and the envelope that a Ledger signed is lost.
func TestASignatureOverALostEnvelopeIsExplained(t *testing.T) {
	s := startServer(t, hintSettings)
	w := newWallet(t, testutil.SolanaWallet)
	text := s.ask(w.Address).Message
	envelope := append(append([]byte("\xffsolana offchain\x01\x01"), w.PublicKey...), text...)
	signature, err := w.Sign(envelope)
	require.NoError(t, err)
	s.post("/sign-in", map[string]any{"message": text, "signature": hex.EncodeToString(signature)}).
		expectHint(t, 401, "invalid_signature", "signed_message", "signIn")
}

func TestABareNonceOfMetaMaskIsExplained(t *testing.T) {
	s := startServer(t, map[string]any{"require_message": false})
	w := newWallet(t, "eip191")
	nonce := s.challenge(w.Address)
	raw, err := hex.DecodeString(nonce)
	require.NoError(t, err)
	sign := func(message []byte) string {
		signature, err := w.Sign(message)
		require.NoError(t, err)
		return hex.EncodeToString(signature)
	}
	body := map[string]any{"algorithm": "eip191", "address": w.Address, "challenge": nonce, "signature": sign(raw)}
	s.post("/sign-in", body).expectHint(t, 401, "invalid_signature", "personal_sign", "the hex of the challenge's 64 characters")
	body["challenge"] = s.challenge(w.Address)
	body["signature"] = sign([]byte(body["challenge"].(string)))
	s.post("/sign-in", body).tokens(t)
}

func TestMessagesSayWhatCameAndWhatIsAllowed(t *testing.T) {
	s := startServer(t, hintSettings)
	w := newWallet(t, "eip191")
	for _, test := range []struct {
		name, from, to string
		status         int
		code           string
		says           []string
	}{
		{"domain", "app.example.com wants", "evil.example wants", 401, "domain_mismatch", []string{`"evil.example"`, "app.example.com"}},
		{"scheme", "app.example.com wants", "http://app.example.com wants", 401, "domain_mismatch", []string{`"http://app.example.com"`}},
		{"URI", "URI: https://app", "URI: https://evil", 401, "uri_mismatch", []string{`"https://evil.example.com"`, "app.example.com"}},
		{"chain", "Chain ID: 1", "Chain ID: 5", 401, "chain_not_allowed", []string{`"eip155:5"`, "eip155:1, eip155:137"}},
		{"issued at", "Issued At: 2", "Issued At: 3", 401, "issued_at_out_of_range", []string{"Issued At is 3", "it must be between 2"}},
		{"expired", "Expiration Time: 2", "Expiration Time: 1", 401, "message_expired", []string{"Expiration Time is 1", "the server's time is 2"}},
		{"checksum", w.Address, strings.ToLower(w.Address), 400, "bad_checksum", []string{"EIP-55"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(s.ask(w.Address).Message, test.from, test.to, 1)
			r := s.post("/sign-in", signText(t, w, text))
			r.expectHint(t, test.status, test.code, test.says...)
		})
	}
	s.post("/sign-in", signText(t, w, strings.Replace(s.ask(w.Address).Message, w.Address, strings.ToLower(w.Address), 1))).
		problem(t, 400, "address has no checksum")
}

func TestChallengesSayWhatCameAndWhatIsAllowed(t *testing.T) {
	s := startServer(t, hintSettings)
	w := newWallet(t, "eip191")
	ask := func(fields ...string) reply {
		body := map[string]any{"address": w.Address}
		for i := 0; i < len(fields); i += 2 {
			body[fields[i]] = fields[i+1]
		}
		return s.post("/challenge", body)
	}
	ask("domain", "evil.example").expectHint(t, 400, "domain_not_allowed", `"evil.example"`, "app.example.com")
	ask("chain_id", "eip155:5").expectHint(t, 400, "chain_not_allowed", `"eip155:5"`, "eip155:137")
	ask("chain_id", "ethereum").expectHint(t, 400, "invalid_chain_id", "CAIP-2")
	ask("address", "eip155:5:"+w.Address).expectHint(t, 400, "chain_not_allowed", `"eip155:5"`)
	ask("address", "eip155:1:"+w.Address, "chain_id", "eip155:137").expectHint(t, 400, "invalid_address", "eip155:1", "chain_id")
	ask("address", "bip122:000000000019d6689c085ae165831e93:128Lkh3S7CkDTBZ8W7BbpsN3YYizJMp8p6").expectHint(t, 400, "invalid_address", "namespace")
	for _, near := range []string{w.Address[2:], "alice.eth", w.Address[:41], "undefined"} {
		ask("address", near, "algorithm", "eip191").expectHint(t, 400, "invalid_address", "0x and 40 hex digits")
	}
	ask("address", w.Address[:41]).expectHint(t, 400, "invalid_address", "has 39")
	ask("address", " \n").problem(t, 400, "address required")
}

func TestAddressesAreReadInEveryForm(t *testing.T) {
	s := startServer(t, hintSettings)
	w := newWallet(t, "eip191")
	for _, form := range []string{
		w.Address, strings.ToLower(w.Address), "0X" + strings.ToUpper(w.Address[2:]), " " + w.Address, w.Address + "\n",
		"eip155:137:" + w.Address, "did:pkh:eip155:137:" + strings.ToLower(w.Address),
	} {
		message := s.ask(form, "algorithm", "eip191").Message
		assert.Contains(t, message, "\n"+w.Address+"\n", form)
		chain := "1"
		if strings.Contains(form, "eip155") {
			chain = "137"
		}
		assert.Contains(t, message, "\nChain ID: "+chain+"\n", form)
		body := signText(t, w, message)
		body["address"] = form
		in := s.post("/sign-in", body).tokens(t)
		assert.Equal(t, w.Address, in.Address, form)
		assert.Equal(t, "eip155:"+chain+":"+w.Address, jwtPart(t, in.Access, 1)["account"])
	}
	solana := newWallet(t, testutil.SolanaWallet)
	for _, form := range []string{" " + solana.Address, "solana:mainnet:" + solana.Address, "did:pkh:solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:" + solana.Address} {
		body := signText(t, solana, s.ask(form).Message)
		delete(body, "public_key")
		body["address"] = form
		assert.Equal(t, solana.Address, s.post("/sign-in", body).tokens(t).Address, form)
	}

	body := signText(t, w, s.ask(w.Address).Message)
	body["address"] = "eip155:137:" + w.Address
	s.post("/sign-in", body).expectHint(t, 400, "invalid_address", "eip155:137", "eip155:1")

	for _, algorithm := range []string{"Ed25519", "secp256k1", "ML-DSA-65"} {
		raw := newWallet(t, algorithm)
		form := "0X" + raw.PublicKeyHex()
		challenge := s.ask(form, "algorithm", algorithm)
		signature, err := raw.Sign([]byte(challenge.Challenge))
		require.NoError(t, err)
		in := s.post("/sign-in", map[string]any{
			"algorithm": algorithm, "address": form, "public_key": form, "challenge": "0X" + challenge.Challenge, "signature": "0X" + hex.EncodeToString(signature),
		}).tokens(t)
		assert.Equal(t, raw.Address == in.Address || algorithm == "ML-DSA-65", true, "%s %s", algorithm, in.Address)
	}
}

func TestAMessageNamesItsAlgorithm(t *testing.T) {
	s := startServer(t, hintSettings)
	for _, algorithm := range []string{"eip191", testutil.SolanaWallet} {
		w := newWallet(t, algorithm)
		body := signText(t, w, s.ask(w.Address).Message)
		delete(body, "algorithm")
		in := s.post("/sign-in", body).tokens(t)
		assert.Equal(t, w.Algorithm, in.Algorithm)
	}
	solana := newWallet(t, testutil.SolanaWallet)
	text := s.ask(solana.Address).Message
	envelope := append(append([]byte("\xffsolana offchain\x01\x01"), solana.PublicKey...), text...)
	signature, err := solana.Sign(envelope)
	require.NoError(t, err)
	url := base64.RawURLEncoding
	s.post("/sign-in", map[string]any{"signed_message": url.EncodeToString(envelope), "signature": url.EncodeToString(signature), "encoding": "base64url"}).tokens(t)

	raw := newWallet(t, "Ed25519")
	body := signText(t, raw, s.ask(raw.Address, "algorithm", "Ed25519", "domain", "app.example.com").Message)
	delete(body, "algorithm")
	delete(body, "public_key")
	s.post("/sign-in", body).expectHint(t, 400, "missing_field", "Ed25519", "public_key")
	body["public_key"] = raw.PublicKeyHex()
	assert.Equal(t, "Ed25519", s.post("/sign-in", body).tokens(t).Algorithm)

	eth := newWallet(t, "eip191")
	s.post("/sign-in", map[string]any{"address": eth.Address, "challenge": s.challenge(eth.Address), "signature": "0x11"}).
		expectHint(t, 400, "missing_field", "ML-DSA-65", "public_key", "eip191")
	s.post("/sign-in", map[string]any{"message": "hello", "signature": "0x11"}).
		expectHint(t, 400, "missing_field", "ML-DSA-65", "public_key", "first line names no account")
	body = signText(t, eth, strings.ReplaceAll(s.ask(eth.Address).Message, "\n", "\r\n"))
	delete(body, "algorithm")
	assert.Equal(t, "malformed message, line 1: control character", s.post("/sign-in", body).json(t)["detail"])
}

func TestBase64URLWithAndWithoutPadding(t *testing.T) {
	s := startServer(t, hintSettings)
	for _, encoding := range []*base64.Encoding{base64.URLEncoding, base64.RawURLEncoding} {
		w := newWallet(t, "Ed25519")
		body := s.signInBody(w)
		signature, err := hex.DecodeString(body["signature"].(string))
		require.NoError(t, err)
		body["encoding"], body["signature"] = "base64url", encoding.EncodeToString(signature)
		s.post("/sign-in", body).tokens(t)
		for _, wrong := range []string{body["signature"].(string) + "=", "+/+/", "AAA\n", "A"} {
			body["signature"] = wrong
			s.post("/sign-in", body).problem(t, http.StatusBadRequest, "invalid base64 encoding")
		}
	}
}

func TestSolanaMessagesNameTheirChainByCAIP2(t *testing.T) {
	s := startServer(t, hintSettings)
	w := newWallet(t, testutil.SolanaWallet)
	const mainnet, devnet = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
	for id, code := range map[string]string{"solana:" + mainnet: "", mainnet: "", "solana:" + devnet: "chain_not_allowed", devnet: "chain_not_allowed"} {
		r := s.post("/sign-in", signText(t, w, strings.Replace(s.ask(w.Address).Message, "Chain ID: mainnet", "Chain ID: "+id, 1)))
		if code == "" {
			assert.Equal(t, "solana:"+mainnet+":"+w.Address, jwtPart(t, r.tokens(t).Access, 1)["account"], id)
		} else {
			r.expectHint(t, 401, code, `"solana:`+devnet+`"`, "solana:"+mainnet)
		}
	}
}

func TestTheLogSaysWhoFailedToSignInFromWhereAndWhy(t *testing.T) {
	s, log := watched(t, hintSettings)
	w := newWallet(t, "eip191")
	text := strings.Replace(s.ask(w.Address).Message, "app.example.com wants", "evil.example wants", 1)
	s.post("/sign-in", signText(t, w, text))
	log.expect(t, "sign_in_refused", "INFO", map[string]any{"code": "domain_mismatch", "address": w.Address, "client": "127.0.0.1", "algorithm": "eip191"})
	body := signText(t, w, s.ask(w.Address).Message)
	body["address"], body["signature"] = "eip155:1:"+strings.ToLower(w.Address), "0x11"
	s.post("/sign-in", body)
	log.expect(t, "sign_in_refused", "INFO", map[string]any{
		"code": "contract_wallet_not_supported", "address": w.Address, "reason": "the signature has 1 bytes and must have 65 (r, s and v), or 64 (EIP-2098)",
	})
	mldsa := newWallet(t, "ML-DSA-65")
	raw := s.signInBody(mldsa)
	raw["address"], raw["signature"] = strings.Repeat("zz", 2000), "00"
	s.post("/sign-in", raw)
	events := log.events(t, "sign_in_refused")
	require.Len(t, events, 3)
	assert.LessOrEqual(t, len(events[2]["address"].(string)), 70, "shortened")
	assert.Contains(t, events[0]["reason"], `"evil.example"`)
}
