package serverauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// The targets below go without an app around them: what runs beside a request would make every input look new to the
// fuzzer.

var fuzzNow = time.Unix(1_800_000_000, 0).UTC()

const fuzzNonce = "01a209323a38836ff04be6bdd06318a3422bc7e721e6f8f69bec878296301812"

// constantStore gives everybody the same nonce.
type constantStore struct{ store.ChallengeStore }

func (constantStore) Create(context.Context, string, time.Duration) (string, error) {
	return fuzzNonce, nil
}

func fuzzParts(f *testing.F) (*walletLogin, *walletChallenge) {
	settings := DefaultServerAuthSettings()
	clock := func() time.Time { return fuzzNow }
	verifier, err := NewWalletVerifier(settings)
	if err != nil {
		f.Fatal(err)
	}
	parsed, err := settings.parse()
	if err != nil {
		f.Fatal(err)
	}
	messages := &messages{policy: newMessagePolicy(settings, parsed), now: clock}
	return &walletLogin{verifier: verifier, messages: messages, requireMessage: true},
		&walletChallenge{ttl: settings.ChallengeTTL(), messageTTL: settings.MessageTTL(), store: constantStore{}, verifier: verifier, messages: messages, now: clock}
}

func fuzzContext(contentType string, body []byte) (echo.Context, *httptest.ResponseRecorder) {
	request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	request.Header.Set("Content-Type", contentType)
	recorder := httptest.NewRecorder()
	return echo.New().NewContext(request, recorder), recorder
}

// refusal fails unless err is a problem of a client's making.
func refusal(t *testing.T, err error) {
	t.Helper()
	var problem *app.Problem
	if !errors.As(err, &problem) || problem.Status < 400 || problem.Status > 499 || problem.Code == "" || problem.Detail == "" {
		t.Fatalf("%v", err)
	}
}

const fuzzMessage = `localhost:8100 wants you to sign in with your Ethereum account:\n0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n\n\nURI: http://localhost:8100\n` +
	`Version: 1\nChain ID: 1\nNonce: ` + fuzzNonce + `\nIssued At: 2027-01-15T08:00:00Z`

// FuzzSignInRequest reads bodies of POST /sign-in as far as that needs no key.
func FuzzSignInRequest(f *testing.F) {
	login, _ := fuzzParts(f)
	solana := strings.NewReplacer("Ethereum", "Solana", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "GR5BuT3RYdYawYZ312fJN2rPi9GRdG4euGz22UdPUzsy",
		`\n\n\n`, `\n\n`, "Chain ID: 1", "Chain ID: mainnet").Replace(fuzzMessage)
	envelope := base64.StdEncoding.EncodeToString([]byte("\xffsolana offchain\x00\x02\x10\x00" + strings.Repeat("a", 16)))
	for _, body := range []string{
		"", "{}", `{"address":"ab","public_key":"0xAB","signature":"00","challenge":"` + fuzzNonce + `"}`,
		`{"algorithm":"Ed25519","address":"GR5BuT3RYdYawYZ312fJN2rPi9GRdG4euGz22UdPUzsy","signature":"00","challenge":"00"}`,
		`{"algorithm":"eip191","signature":"00","message":"` + fuzzMessage + `"}`,
		`{"algorithm":"secp256k1","public_key":"00","signature":"00","address":"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed","message":"` + fuzzMessage + `"}`,
		`{"algorithm":"Ed25519","signature":"11","encoding":"base58","message":"` + solana + `"}`,
		`{"algorithm":"Ed25519","signature":"YQ==","encoding":"base64","signed_message":"` + envelope + `"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, _ := fuzzContext("application/json", body)
		var request signInRequest
		if err := app.DecodeJSON(c.Response(), c.Request(), &request); err != nil {
			refusal(t, err)
			return
		}
		proof, err := login.parse(&request)
		if err != nil {
			refusal(t, err)
			return
		}
		if proof.scheme == nil || proof.address == (wallet.Address{}) || proof.nonce == "" || len(proof.signed) == 0 {
			t.Fatalf("%q: incomplete: %+v", body, proof)
		}
		if proof.address.Kind() == wallet.Ethereum && !bytes.Contains(proof.signed, []byte("wants you to sign in with your")) {
			t.Fatalf("%q: a bare nonce of a chain's address", body)
		}
		_, _ = proof.scheme.Verify(t.Context(), proof.chain, proof.publicKey, proof.signed, proof.signature) // must not panic
	})
}

// FuzzChallengeRequest reads bodies of POST /challenge. Whatever is answered holds a message that means what was asked.
func FuzzChallengeRequest(f *testing.F) {
	login, challenge := fuzzParts(f)
	for _, body := range []string{
		"", "{}", `{"address":"ab"}`, `{"address":"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed","chain_id":"eip155:1","domain":"localhost:8100"}`,
		`{"address":"GR5BuT3RYdYawYZ312fJN2rPi9GRdG4euGz22UdPUzsy","chain_id":"solana:mainnet"}`,
		`{"address":"a\nb","algorithm":"Ed25519","domain":"http://localhost:8100"}`, `{"address":"ab","algorithm":"ML-DSA-65","domain":"LOCALHOST:8100"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, recorder := fuzzContext("application/json", body)
		if err := challenge.challenge(c); err != nil {
			refusal(t, err)
			return
		}
		var answer challengeReply
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Challenge != fuzzNonce {
			t.Fatalf("%s: %v", recorder.Body, err)
		}
		if answer.Message == "" {
			return
		}
		message, err := wallet.ParseMessage(answer.Message)
		if err != nil || login.messages.check(message) != nil || message.Domain != "localhost:8100" || message.Nonce != fuzzNonce || message.Address == "" {
			t.Fatalf("%q: %q: %v", body, answer.Message, err)
		}
	})
}

// FuzzIntrospectRequest reads bodies of POST /introspect in both of its forms.
func FuzzIntrospectRequest(f *testing.F) {
	for _, body := range []string{"", "token=a.b.c", "token=a&token=b", "token=a;b&c=%zz", "token=%61", `{"token":"a.b.c"}`, `{"token":1}`} {
		f.Add(echo.MIMEApplicationForm, []byte(body))
		f.Add(echo.MIMEApplicationJSON, []byte(body))
		f.Add(`application/x-www-form-urlencoded; charset="`, []byte(body))
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		c, _ := fuzzContext(contentType, body)
		token, err := introspectedToken(c)
		if err != nil {
			refusal(t, err)
		} else if token == "" {
			t.Fatalf("%q: no token and no error", body)
		}
	})
}

// FuzzFleetRequest reads bodies of POST /fleet/sessions. No name passes that could be another's subject.
func FuzzFleetRequest(f *testing.F) {
	flow := &fleetFlow{settings: DefaultServerAuthSettings()}
	for _, body := range []string{
		"{}", `{"session_id":"run-1","agent_id":"a","role":"worker","ttl":60,"scope":"a b"}`, `{"session_id":"a@b","agent_id":"a"}`,
		`{"session_id":"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed","agent_id":"a","ttl":9223372036854775807}`, `{"session_id":"s","agent_id":"a","ttl":-9223372036854775808}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, _ := fuzzContext("application/json", body)
		var request fleetRequest
		err := app.DecodeJSON(c.Response(), c.Request(), &request)
		if err == nil {
			err = flow.check(&request)
		}
		if err != nil {
			refusal(t, err)
			return
		}
		if address := wallet.ReadAddress(request.SessionID); strings.Contains(request.SessionID, "@") || address.Kind() != wallet.Raw || address.WalletID() != "" {
			t.Fatalf("%q names somebody else", request.SessionID)
		}
		if ttl := flow.ttl(request.TTL); ttl < minFleetTTL || ttl > flow.settings.FleetMaxTTL() {
			t.Fatalf("%d becomes %s", request.TTL, ttl)
		}
	})
}

// FuzzDecodeAs reads hex, base58 and base64 as a sign-in request may hold them.
func FuzzDecodeAs(f *testing.F) {
	for _, encoding := range []string{"", "hex", "base58", "base64", "HEX", "base64url"} {
		for _, text := range []string{"", "0x", "0x00", "00", "0", "zz", "11", "YQ==", "YQ=", "YR==", "Y\nQ==", strings.Repeat("z", maxBase58+1)} {
			f.Add(encoding, text)
		}
	}
	f.Fuzz(func(t *testing.T, encoding, text string) {
		raw, err := decodeAs(encoding, text)
		if err != nil {
			return
		}
		if len(raw) > len(text) {
			t.Fatalf("%q as %q: %d bytes", text, encoding, len(raw))
		}
		if encoding == "base64" && base64.StdEncoding.EncodeToString(raw) != text {
			t.Fatalf("%q is not the only base64 of %x", text, raw)
		}
	})
}

// What is taken for the next of a page is written as it was read.
func FuzzRevokedPosition(f *testing.F) {
	f.Add("1795435440123456-1795435380654321")
	f.Add("1--1")
	f.Fuzz(func(t *testing.T, text string) {
		position, err := parseRevokedPosition(text)
		if err != nil {
			return
		}
		if again, err := parseRevokedPosition(position.String()); err != nil || again != position || position.number < 1 {
			t.Errorf("%q: %v, %v", text, position, err)
		}
	})
}

// FuzzMintBefore: a place in the list of mints is what the list has given, and nothing else.
func FuzzMintBefore(f *testing.F) {
	for _, text := range []string{"", "m1", "mzz", "m0", "m-1", "m+1", "m01", "M1", "5", "m1y2p0ij32e8e7", "m1y2p0ij32e8e8"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		seq, err := mintBefore(url.Values{"before": {text}})
		if err == nil && text != "" && (seq < 1 || mintCursor(seq) != text) {
			t.Errorf("%q is %d", text, seq)
		}
	})
}
