package serverauth_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

// mutation makes another text of a message that the server made.
type mutation struct {
	name  string
	apply func(text string) string
}

// messageMutations are for texts of the given number of lines.
func messageMutations(lines int, random *rand.Rand) []mutation {
	var all []mutation
	onLine := func(name string, at int, change func(string) []string) {
		all = append(all, mutation{name + " line " + strconv.Itoa(at+1), func(text string) string {
			parts := strings.Split(text, "\n")
			return strings.Join(slices.Concat(parts[:at], change(parts[at]), parts[at+1:]), "\n")
		}})
	}
	for at := range lines {
		changes := map[string]func(string) []string{
			"no":              func(string) []string { return nil },
			"twice":           func(line string) []string { return []string{line, line} },
			"empty":           func(string) []string { return []string{""} },
			"space after":     func(line string) []string { return []string{line + " "} },
			"space before":    func(line string) []string { return []string{" " + line} },
			"CR after":        func(line string) []string { return []string{line + "\r"} },
			"zero in":         func(line string) []string { return []string{line + "\x00"} },
			"separator in":    func(line string) []string { return []string{line + "\u2028x"} },
			"lowercase":       func(line string) []string { return []string{strings.ToLower(line)} },
			"uppercase":       func(line string) []string { return []string{strings.ToUpper(line)} },
			"huge":            func(line string) []string { return []string{line + strings.Repeat("a", 9000)} },
			"homoglyph in":    func(line string) []string { return []string{strings.Replace(line, "o", "\u043e", 1)} },
			"percent in":      func(line string) []string { return []string{line + "%"} },
			"domain after":    func(line string) []string { return []string{line + ".evil.example"} },
			"user and domain": func(line string) []string { return []string{line + "@evil.example"} },
		}
		for _, name := range slices.Sorted(maps.Keys(changes)) {
			onLine(name, at, changes[name])
		}
	}
	all = append(all, replacements()...)
	for range 60 {
		where, what := random.Float64(), byte(random.IntN(256))
		insert, remove := random.IntN(2), random.IntN(2)
		all = append(all, mutation{"a byte", func(text string) string {
			at := int(where * float64(len(text)-1))
			return text[:at] + strings.Repeat(string([]byte{what}), insert) + text[at+remove:]
		}})
	}
	for cut := range 20 {
		all = append(all, mutation{"cut", func(text string) string { return text[:len(text)*cut/20] }})
	}
	return all
}

// replacements change what a line says and keep its form.
func replacements() []mutation {
	var all []mutation
	set := func(label string, values ...string) {
		for _, value := range values {
			all = append(all, mutation{label + value, func(text string) string {
				parts := strings.Split(text, "\n")
				for i, line := range parts {
					if strings.HasPrefix(line, label) {
						parts[i] = label + value
					}
				}
				return strings.Join(parts, "\n")
			}})
		}
	}
	set("URI: ", "", "http://evil.example", "http://localhost:8101", "http://localhost:8100@evil.example", "http://evil.example/http://localhost:8100",
		"https://localhost:8100", "http://localhost:8100.evil.example", "http://localhost", "http://LOCALHOST:8100", "javascript:alert(1)", "data:,x",
		"http://localhost:8100\\@evil.example", "//localhost:8100", "localhost:8100", "http:localhost:8100", "http://localhost:8100:8100", "http://localhost:08100")
	set("Version: ", "", "0", "2", "01", "1.0")
	set("Chain ID: ", "", "0", "01", "2", "-1", "1e0", "0x1", "99999999999999999999999", "testnet", "devnet", "localnet", "solana:testnet", "MAINNET")
	set("Nonce: ", "", "12345678", strings.Repeat("a", 64), strings.Repeat("0", 8000))
	set("Issued At: ", "", "now", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01", "2026-13-01T00:00:00Z", "0000-00-00T00:00:00Z",
		"2026-01-01T00:00:00", "2026-01-01T00:00:00+25:00", "1700000000", "2026-01-01T00:00:00,5Z")
	set("Expiration Time: ", "", "never", "1970-01-01T00:00:00Z")
	return all
}

// signedAs is how a text comes to the server.
var signedAs = map[string]func(map[string]any, []byte){
	"message":        func(body map[string]any, text []byte) { body["message"] = string(text) },
	"signed_message": func(body map[string]any, text []byte) { body["signed_message"] = hex.EncodeToString(text) },
	"base64": func(body map[string]any, text []byte) {
		body["encoding"], body["signed_message"] = "base64", base64.StdEncoding.EncodeToString(text)
	},
	"base58": func(body map[string]any, text []byte) {
		body["encoding"], body["signed_message"] = "base58", base58Of(text)
	},
}

// signed is a sign-in by a text that the wallet did sign, whatever it says.
func signed(t testing.TB, w *testutil.Wallet, way string, text []byte) map[string]any {
	t.Helper()
	signature, err := w.Sign(text)
	require.NoError(t, err)
	body := map[string]any{"algorithm": w.Algorithm}
	signedAs[way](body, text)
	encodings := map[any]func([]byte) string{nil: hex.EncodeToString, "base64": base64.StdEncoding.EncodeToString, "base58": base58Of}
	body["signature"] = encodings[body["encoding"]](signature)
	if w.PublicKey != nil {
		body["public_key"] = w.PublicKeyHex()
	}
	return body
}

// keepsMeaning tells whether a text still says for which site, by whom, on which chain and with which nonce.
func keepsMeaning(original, text string) bool {
	if original == text {
		return true
	}
	was, is := strings.Split(original, "\n"), strings.Split(text, "\n")
	if len(is) < 2 || is[0] != was[0] && is[0] != "http://"+was[0] || !sameAddress(was[1], is[1]) {
		return false
	}
	for _, label := range []string{"URI: ", "Chain ID: ", "Nonce: ", "Version: "} {
		for _, line := range is {
			if value, found := strings.CutPrefix(line, label); found && !slices.ContainsFunc(was, func(w string) bool {
				return w == line || label == "URI: " && strings.HasPrefix(value, strings.TrimPrefix(w, label))
			}) {
				return false
			}
		}
	}
	return strings.Contains(text, "\nNonce: ")
}

// sameAddress compares as the server does: the hex of a key may be in either case.
func sameAddress(a, b string) bool { return a == b || len(a) == 64 && strings.EqualFold(a, b) }

func TestAChangedMessageSignsInOnlyIfItMeansTheSame(t *testing.T) {
	s := startTarget(t, nil)
	random := rand.New(rand.NewPCG(5, 6))
	raw := newWallet(t, "Ed25519")
	for name, ask := range map[string]struct {
		wallet *testutil.Wallet
		fields []string
	}{
		"Ethereum": {newWallet(t, "eip191"), nil},
		"Solana":   {newWallet(t, testutil.SolanaWallet), nil},
		"raw":      {raw, []string{"algorithm", "Ed25519", "domain", "localhost:8100"}},
	} {
		t.Run(name, func(t *testing.T) {
			sample := s.ask(ask.wallet.Address, ask.fields...).Message
			accepted := 0
			for _, m := range messageMutations(strings.Count(sample, "\n")+1, random) {
				for _, way := range slices.Sorted(maps.Keys(signedAs)) {
					if random.IntN(2) == 0 {
						continue
					}
					original := s.ask(ask.wallet.Address, ask.fields...).Message
					text := m.apply(original)
					r := endpoint{path: "/sign-in"}.request(name+" "+m.name, encode(t, signed(t, ask.wallet, way, []byte(text))))
					got, _ := s.send(r)
					if wrong := judge(r, got); wrong != "" {
						t.Errorf("%s: %s: %q: %d %s", r.name, wrong, text, got.status, got.body)
					}
					if got.status == http.StatusOK {
						accepted++
						if !keepsMeaning(original, text) {
							t.Errorf("%s was accepted\n%q\nmade of\n%q", r.name, text, original)
						}
					}
				}
			}
			assert.NotZero(t, accepted)
		})
	}
}

func TestABrokenEnvelopeIsRefusedByAProblem(t *testing.T) {
	s := startTarget(t, nil)
	random := rand.New(rand.NewPCG(7, 8))
	w := newWallet(t, testutil.SolanaWallet)
	const domain = "\xffsolana offchain"
	whole := func(text string) string {
		return domain + "\x00\x02" + string([]byte{byte(len(text)), byte(len(text) >> 8)}) + text // the legacy form
	}
	for range 400 {
		text := s.ask(w.Address).Message
		envelope := []byte(whole(text))
		for range random.IntN(3) {
			envelope[random.IntN(len(domain)+40)] = byte(random.IntN(256))
		}
		if random.IntN(4) == 0 {
			envelope = envelope[:random.IntN(len(envelope))]
		}
		r := endpoint{path: "/sign-in"}.request("envelope", encode(t, signed(t, w, "base64", envelope)))
		got, _ := s.send(r)
		if wrong := judge(r, got); wrong != "" {
			t.Errorf("%s: %q: %d %s", wrong, envelope, got.status, got.body)
		}
		if got.status == http.StatusOK && string(envelope) != whole(text) && !strings.HasSuffix(string(envelope), text) {
			t.Errorf("accepted: %q", envelope)
		}
	}
}

// TestErrorsAreThoseOfTheContract goes through the rows of the contract's table.
func TestErrorsAreThoseOfTheContract(t *testing.T) {
	s := startTarget(t, nil)
	in := s.signIn(newWallet(t, "Ed25519"))
	header := map[string][]string{}
	for _, e := range s.endpoints() {
		header[e.path] = e.header
	}
	ethereum := "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
	long := strings.Repeat("x", 9000)
	for _, test := range []struct {
		path, body   string
		status       int
		detail, code string
	}{
		{"/challenge", `{"address":""}`, 400, "address required", "address_required"},
		{"/challenge", `{"domain":"evil.example"}`, 400, "domain not allowed", "domain_not_allowed"},
		{"/challenge", `{"algorithm":"rsa"}`, 400, "unsupported wallet algorithm: rsa", "unsupported_algorithm"},
		{"/challenge", `{"address":"` + long + `"}`, 400, "address too long", "address_too_long"},
		{"/challenge", `{"address":"ab","domain":"evil.example"}`, 400, "domain not allowed", "domain_not_allowed"},
		{"/challenge", `{"address":"` + ethereum + `","chain_id":"eip155:5"}`, 400, "chain not allowed", "chain_not_allowed"},
		{"/challenge", `{"address":"` + ethereum + `","chain_id":"solana:mainnet"}`, 400, "chain not allowed", "chain_not_allowed"},
		{"/challenge", `{"address":"` + ethereum + `","chain_id":"1"}`, 400, "invalid chain_id", "invalid_chain_id"},
		{"/challenge", `{"address":"` + strings.Replace(ethereum, "A", "a", 1) + `"}`, 400, "address checksum is wrong", "bad_checksum"},
		{"/challenge", `{"address":"ab","algorithm":"rsa"}`, 400, "unsupported wallet algorithm: rsa", "unsupported_algorithm"},
		{"/challenge", `{"address":"ab","algorithm":"ML-DSA-87"}`, 400, "unsupported wallet algorithm: ML-DSA-87", "unsupported_algorithm"},
		{"/sign-in", `{}`, 400, "address, public_key, signature, and challenge required", "missing_field"},
		{"/sign-in", `{"algorithm":"eip191"}`, 400, "signature, and a message or an address and challenge, required", "missing_field"},
		{"/sign-in", `{"algorithm":"eip191","signature":"00","challenge":"00"}`, 400, "signature, and a message or an address and challenge, required", "missing_field"},
		{"/sign-in", `{"algorithm":"Ed25519","address":"11111111111111111111111111111111","challenge":"00"}`, 400, "signature, and a message or an address and challenge, required", "missing_field"},
		{"/sign-in", `{"algorithm":"Ed25519","address":"ab","challenge":"00","signature":"00"}`, 400, "address, public_key, signature, and challenge required", "missing_field"},
		{"/sign-in", `{"algorithm":"x","address":"ab","challenge":"00","signature":"00","public_key":"00"}`, 400, "unsupported wallet algorithm: x", "unsupported_algorithm"},
		{"/sign-in", `{"address":"ab","challenge":"00","signature":"zz","public_key":"00"}`, 400, "invalid hex encoding", "invalid_encoding"},
		{"/sign-in", `{"address":"ab","challenge":"00","signature":"00","public_key":"0"}`, 400, "invalid hex encoding", "invalid_encoding"},
		{"/sign-in", `{"address":"ab","challenge":"00","signature":"0OIl","public_key":"00","encoding":"base58"}`, 400, "invalid base58 encoding", "invalid_encoding"},
		{"/sign-in", `{"address":"ab","challenge":"00","signature":"YQ","public_key":"00","encoding":"base64"}`, 400, "invalid base64 encoding", "invalid_encoding"},
		{"/sign-in", `{"address":"ab","challenge":"00","signature":"_-==","public_key":"00","encoding":"base64"}`, 400, "invalid base64 encoding", "invalid_encoding"},
		{"/sign-in", `{"address":"ab","challenge":"00","signature":"00","public_key":"00","encoding":"pem"}`, 400, "unknown encoding: pem", "unknown_encoding"},
		{"/sign-in", `{"address":"ab","challenge":"00","signature":"00","public_key":"00"}`, 401, "invalid or expired challenge", "invalid_challenge"},
		{"/sign-in", `{"algorithm":"eip191","address":"` + ethereum + `","challenge":"00","signature":"00"}`, 400, "message required", "message_required"},
		{"/sign-in", `{"algorithm":"secp256k1","address":"` + ethereum + `","challenge":"00","signature":"00","public_key":"00"}`, 400, "message required", "message_required"},
		{"/sign-in", `{"algorithm":"Ed25519","address":"11111111111111111111111111111111","challenge":"00","signature":"00"}`, 400, "message required", "message_required"},
		{"/login", `{}`, 401, "invalid credentials", "invalid_credentials"},
		{"/login", `{"email":"admin@pico.local","password":"wrong"}`, 401, "invalid credentials", "invalid_credentials"},
		{"/login", `{"email":"other@pico.local","password":"correct horse"}`, 401, "invalid credentials", "invalid_credentials"},
		{"/refresh", `{}`, 400, "refresh_token required", "refresh_token_required"},
		{"/refresh", `{"refresh_token":""}`, 400, "refresh_token required", "refresh_token_required"},
		{"/refresh", `{"refresh_token":"x"}`, 401, "refresh invalid: not a refresh token of this issuer", "refresh_invalid"},
		{"/refresh", `{"refresh_token":"` + in.Access + `"}`, 401, "refresh invalid: not a refresh token of this issuer", "refresh_invalid"},
		{"/logout", `{}`, 400, "refresh_token required", "refresh_token_required"},
		{"/fleet/sessions", `{}`, 400, "session_id and agent_id required", "missing_field"},
		{"/fleet/sessions", `{"session_id":"a@b","agent_id":"a"}`, 400, "session_id must not have the shape of an e-mail or a wallet address", "invalid_session_id"},
		{"/fleet/sessions", `{"session_id":"s","agent_id":"a","role":"admin"}`, 403, "role is not among fleet_roles", "role_not_allowed"},
		{"/revoke", `{}`, 400, "jti required", "jti_required"},
		{"/introspect", `{}`, 400, "token required", "token_required"},
	} {
		t.Run(test.path+" "+test.detail, func(t *testing.T) {
			got, _ := s.send(endpoint{path: test.path, header: header[test.path]}.request("", []byte(test.body)))
			got.problem(t, test.status, test.detail)
			assert.Equal(t, test.code, got.json(t)["code"], test.body)
			require.True(t, json.Valid([]byte(test.body)), test.body)
		})
	}
	disabled := startServer(t, nil)
	disabled.post("/login", map[string]any{"email": "a", "password": "b"}).problem(t, 403, "password login disabled")
	disabled.post("/fleet/sessions", map[string]any{}).problem(t, 404, "fleet sessions are not configured")
}
