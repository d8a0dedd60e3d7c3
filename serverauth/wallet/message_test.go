package wallet_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

func TestMessageText(t *testing.T) {
	for _, test := range []struct {
		name    string
		message *wallet.Message
		want    string
	}{
		{"Ethereum", ethereumMessage(), `example.com wants you to sign in with your Ethereum account:
0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045

Sign in to Example.

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: ` + testNonce + `
Issued At: 2026-03-01T12:00:00Z
Expiration Time: 2026-03-01T12:05:00Z`},
		{"Solana", solanaMessage(), `example.com wants you to sign in with your Solana account:
9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM

Sign in to Example.

URI: https://example.com/login
Version: 1
Chain ID: mainnet
Nonce: ` + testNonce + `
Issued At: 2026-03-01T12:00:00Z
Expiration Time: 2026-03-01T12:05:00Z`},
		{"bare key", bareMessage(), `example.com wants you to sign in with your ML-DSA-65 account:
NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs

Sign in to Example.

URI: https://example.com/login
Version: 1
Nonce: ` + testNonce + `
Issued At: 2026-03-01T12:00:00Z
Expiration Time: 2026-03-01T12:05:00Z`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.message.String(); got != test.want {
				t.Errorf("got\n%s", got)
			}
			if err := test.message.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Every choice of optional fields is read back as it was written.
func TestMessageRoundTrip(t *testing.T) {
	times := []*time.Time{nil, new(testNow), new(testNow.Add(1234567 * time.Nanosecond).In(time.FixedZone("", -5400)))}
	for _, build := range []func() *wallet.Message{ethereumMessage, solanaMessage, bareMessage} {
		for _, statement := range []string{"", "One line.", "URI: https://evil.example", `"100%" <ünï> 👩‍👩‍👧 日本語`} {
			for _, requestID := range []string{"", "a:b@c%20!"} {
				for _, resources := range [][]string{nil, {}, {"https://example.com/a?b#c", "ipfs://Qm", "urn:x:y"}} {
					for i := range len(times) * len(times) {
						m := build()
						m.Statement, m.RequestID, m.Resources = statement, requestID, resources
						m.ExpirationTime, m.NotBefore = times[i%len(times)], times[i/len(times)]
						if err := m.Validate(); err != nil {
							t.Fatalf("%v\n%s", err, m)
						}
						again, err := wallet.ParseMessage(m.String())
						if err != nil || again.String() != m.String() {
							t.Fatalf("%v\n%s\n%s", err, m, again)
						}
					}
				}
			}
		}
	}
}

func TestMessageValidateRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*wallet.Message)
	}{
		{"statement of two lines", func(m *wallet.Message) { m.Statement = "a\nb" }},
		{"statement that brings fields", func(m *wallet.Message) {
			m.Statement = "a\n\nURI: https://example.com\nVersion: 1\nChain ID: 1\nNonce: 12345678\nIssued At: 2026-03-01T12:00:00Z\nResources:\n- x:"
		}},
		{"request id that brings resources", func(m *wallet.Message) { m.RequestID = "x\nResources:\n- https://evil.example" }},
		{"resource of two lines", func(m *wallet.Message) { m.Resources = []string{"x:\n- y:"} }},
		{"address with a line feed", func(m *wallet.Message) { m.Address += "\n" }},
		{"domain with a line feed", func(m *wallet.Message) { m.Domain = "a\nb" }},
		{"no domain", func(m *wallet.Message) { m.Domain = "" }},
		{"no address", func(m *wallet.Message) { m.Address = "" }},
		{"no URI", func(m *wallet.Message) { m.URI = "" }},
		{"short nonce", func(m *wallet.Message) { m.Nonce = "1234567" }},
		{"no chain", func(m *wallet.Message) { m.Chain = wallet.ChainID{} }},
		{"chain of Solana", func(m *wallet.Message) { m.Chain = solanaMessage().Chain }},
		{"year 10000", func(m *wallet.Message) { m.IssuedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"too long", func(m *wallet.Message) { m.Statement = strings.Repeat("x", wallet.MaxMessageSize) }},
		{"account of two lines", func(m *wallet.Message) { m.Account = "a\nb" }},
		{"no account", func(m *wallet.Message) { m.Account = "" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := ethereumMessage()
			test.change(m)
			if err := m.Validate(); !errors.Is(err, wallet.ErrMalformedMessage) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAccountFor(t *testing.T) {
	const solana = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
	ethereum := eip55[4]
	for _, test := range []struct{ algorithm, address, want string }{
		{"", ethereum, "Ethereum"}, {"eip191", ethereum, "Ethereum"}, {"secp256k1", ethereum, "Ethereum"},
		{"", solana, "Solana"}, {"Ed25519", solana, "Solana"},
		{"ML-DSA-65", solana, "ML-DSA-65"}, // a thumbprint may look like this
		{"", "abcd", ""}, {"eip191", "abcd", ""}, {"eip191", solana, ""},
		{"Ed25519", "abcd", "Ed25519"}, {"secp256k1", "abcd", "secp256k1"}, {"custom", "abcd", "custom"},
	} {
		if got := wallet.AccountFor(test.algorithm, test.address); got != test.want {
			t.Errorf("%s, %s: %q, want %q", test.algorithm, test.address, got, test.want)
		}
	}
}

func TestMessageFits(t *testing.T) {
	for _, test := range []struct {
		message *wallet.Message
		fits    []string
	}{
		{ethereumMessage(), []string{"eip191", "secp256k1"}},
		{solanaMessage(), []string{"Ed25519"}},
		{bareMessage(), []string{"ML-DSA-65"}},
	} {
		fits := map[string]bool{}
		for _, algorithm := range test.fits {
			fits[algorithm] = true
		}
		for _, algorithm := range []string{"", "eip191", "secp256k1", "Ed25519", "ML-DSA-44", "ML-DSA-65", "Ethereum", "other"} {
			if got := test.message.Fits(algorithm); got != fits[algorithm] {
				t.Errorf("%s with %q: %v", test.message.Account, algorithm, got)
			}
		}
	}
}
