package wallet_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

const (
	ethereumText = `service.example wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

A statement.

URI: https://service.example/login
Version: 1
Chain ID: 1
Nonce: 32891757
Issued At: 2021-09-30T16:25:24.000Z
Expiration Time: 2021-10-01T16:25:24Z
Not Before: 2021-09-30T16:25:24Z
Request ID: some_id
Resources:
- ipfs://Qme7ss3ARVgxv6rXqVPiikMJ8u2NLgmgszg13pYrDKEoiu
- https://service.example/claim.json`

	solanaText = `service.example wants you to sign in with your Solana account:
9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM

A statement.

URI: https://service.example/login
Version: 1
Chain ID: mainnet
Nonce: 32891757
Issued At: 2021-09-30T16:25:24.000Z`

	bareText = `service.example wants you to sign in with your Ed25519 account:
d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a

A statement.

URI: https://service.example/login
Version: 1
Nonce: 32891757
Issued At: 2021-09-30T16:25:24.000Z`
)

// replaced replaces a part that must be there.
func replaced(t *testing.T, text, old, by string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("no %q in the message", old)
	}
	return strings.Replace(text, old, by, 1)
}

func TestParseMessageFields(t *testing.T) {
	m, err := wallet.ParseMessage(ethereumText)
	if err != nil {
		t.Fatal(err)
	}
	want := wallet.Message{
		Domain: "service.example", Account: "Ethereum", Address: "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
		Statement: "A statement.", URI: "https://service.example/login",
		Chain: wallet.ChainID{Namespace: "eip155", Reference: "1"}, Nonce: "32891757",
		IssuedAt:       time.Date(2021, 9, 30, 16, 25, 24, 0, time.UTC),
		ExpirationTime: new(time.Date(2021, 10, 1, 16, 25, 24, 0, time.UTC)),
		NotBefore:      new(time.Date(2021, 9, 30, 16, 25, 24, 0, time.UTC)),
		RequestID:      "some_id",
		Resources:      []string{"ipfs://Qme7ss3ARVgxv6rXqVPiikMJ8u2NLgmgszg13pYrDKEoiu", "https://service.example/claim.json"},
	}
	if got := fmt.Sprintf("%+v", *m); got != fmt.Sprintf("%+v", want) && m.String() != want.String() {
		t.Errorf("got %s", got)
	}
	if m.Kind() != wallet.Ethereum {
		t.Errorf("kind %d", m.Kind())
	}
}

func TestParseMessageAccepts(t *testing.T) {
	for _, test := range []struct{ name, text, old, by string }{
		{"as it is", ethereumText, "", ""},
		{"scheme", ethereumText, "service.example wants", "https://service.example wants"},
		{"port", ethereumText, "service.example wants", "localhost:8080 wants"},
		{"IPv6", ethereumText, "service.example wants", "[::cafe]:8080 wants"},
		{"user information", ethereumText, "service.example wants", "user@127.0.0.1:8080 wants"}, // the policy refuses it
		{"lowercase address", ethereumText, "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"},
		{"no statement", ethereumText, "\nA statement.\n\n", "\n\n"},
		{"empty statement", ethereumText, "\nA statement.\n\n", "\n\n\n"},
		{"statement like a field", ethereumText, "A statement.", "URI: https://evil.example"},
		{"statement in Unicode", ethereumText, "A statement.", "“100 %” – ça va? 日本語 👩‍👩‍👧 \u200d"},
		{"another chain", ethereumText, "Chain ID: 1", "Chain ID: 11155111"},
		{"long chain", ethereumText, "Chain ID: 1", "Chain ID: " + strings.Repeat("9", 100)},
		{"URN", ethereumText, "URI: https://service.example/login", "URI: urn:example:a"},
		{"URI without authority", ethereumText, "URI: https://service.example/login", "URI: x:"},
		{"URI with everything", ethereumText, "URI: https://service.example/login", "URI: https://u:p@[::1]:1/a;b=%20/?c=d/?#e/?@"},
		{"octets with zeros", ethereumText, "URI: https://service.example/login", "URI: x://[::001.002.000.255]"},
		{"IPvFuture", ethereumText, "URI: https://service.example/login", "URI: x://[v1.a:b]"},
		{"lowercase time", ethereumText, "2021-09-30T16:25:24.000Z", "2021-09-30t16:25:24z"},
		{"time with offset", ethereumText, "2021-09-30T16:25:24.000Z", "2021-09-30T16:25:24.123456789012-02:30"},
		{"unknown local offset", ethereumText, "2021-09-30T16:25:24.000Z", "2021-09-30T16:25:24-00:00"},
		{"empty request id", ethereumText, "Request ID: some_id", "Request ID: "},
		{"no request id", ethereumText, "Request ID: some_id\n", ""},
		{"no resource", ethereumText, "\n- ipfs://Qme7ss3ARVgxv6rXqVPiikMJ8u2NLgmgszg13pYrDKEoiu\n- https://service.example/claim.json", ""},
		{"Solana", solanaText, "", ""},
		{"Solana without statement", solanaText, "\nA statement.\n\n", "\n"},
		{"Solana without URI", solanaText, "URI: https://service.example/login\n", ""},
		{"Solana without version", solanaText, "Version: 1\n", ""},
		{"Solana without chain", solanaText, "Chain ID: mainnet\n", ""},
		{"Solana with only what is needed", solanaText, "\nA statement.\n\nURI: https://service.example/login\nVersion: 1\nChain ID: mainnet\n", "\n"},
		{"Solana devnet", solanaText, "Chain ID: mainnet", "Chain ID: devnet"},
		{"Solana testnet", solanaText, "Chain ID: mainnet", "Chain ID: solana:testnet"},
		{"Solana by CAIP-2", solanaText, "Chain ID: mainnet", "Chain ID: solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"},
		{"Solana by its genesis id alone", solanaText, "Chain ID: mainnet", "Chain ID: 5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"},
		{"Solana by the id of another chain", solanaText, "Chain ID: mainnet", "Chain ID: solana:11111111111111111111111111111111"},
		{"Solana localnet", solanaText, "Chain ID: mainnet", "Chain ID: localnet"},
		{"bare", bareText, "", ""},
		{"bare without statement", bareText, "\nA statement.\n\n", "\n\n"},
		{"bare of another scheme", bareText, "Ed25519", "my.scheme_1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := test.text
			if test.old != "" {
				text = replaced(t, text, test.old, test.by)
			}
			m, err := wallet.ParseMessage(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Validate(); err != nil {
				t.Errorf("%v\n%s", err, m)
			}
		})
	}
}

func TestParseMessageRefuses(t *testing.T) {
	const issued = "2021-09-30T16:25:24.000Z"
	for _, test := range []struct {
		name, text, old, by string
		line                int
	}{
		{"no domain", ethereumText, "service.example wants", " wants", 1},
		{"empty scheme", ethereumText, "service.example wants", "://service.example wants", 1},
		{"bad scheme", ethereumText, "service.example wants", "1https://service.example wants", 1},
		{"path after the domain", ethereumText, "service.example wants", "service.example/ wants", 1},
		{"domain with a space", ethereumText, "service.example wants", "service.example, evil wants", 1},
		{"domain is no authority", ethereumText, "service.example wants", "#service wants", 1},
		{"domain in Unicode", ethereumText, "service.example wants", "sérvice.example wants", 1},
		{"two user informations", ethereumText, "service.example wants", "a@b@c wants", 1},
		{"port in letters", ethereumText, "service.example wants", "service.example:http wants", 1},
		{"two ports", ethereumText, "service.example wants", "service.example:80:80 wants", 1},
		{"IPv6 zone", ethereumText, "service.example wants", "[fe80::1%25eth0] wants", 1},
		{"text after the header", ethereumText, "account:\n", "account: \n", 1},
		{"other words", ethereumText, "wants you to sign in", "wants you to log in", 1},
		{"account in lower case is an algorithm", ethereumText, "Ethereum", "ethereum", 8},
		{"no account", ethereumText, "Ethereum ", " ", 1},
		{"account of two words", ethereumText, "Ethereum", "Ethereum Classic", 1},
		{"no address", ethereumText, "\n0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "\n", 2},
		{"wrong checksum", ethereumText, "0xC02a", "0xc02a", 2},
		{"address with a space", ethereumText, "6Cc2\n", "6Cc2 \n", 2},
		{"Solana address", ethereumText, "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM", 2},
		{"no line after the address", ethereumText, "6Cc2\n\n", "6Cc2\n", 3},
		{"one line too few", ethereumText, "\nA statement.\n\n", "\n", 5},
		{"one line too many", ethereumText, "\nA statement.\n\n", "\n\n\n\n", 6},
		{"statement of two lines", ethereumText, "A statement.", "A\nstatement.", 5},
		{"no line after the statement", ethereumText, "A statement.\n\n", "A statement.\n", 5},
		{"line separator", ethereumText, "A statement.", "A\u2028statement.", 4},
		{"paragraph separator", ethereumText, "A statement.", "A\u2029statement.", 4},
		{"tab", ethereumText, "A statement.", "A\tstatement.", 4},
		{"escape", ethereumText, "A statement.", "A\x1b[2Jstatement.", 4},
		{"next line", ethereumText, "A statement.", "A\u0085statement.", 4},
		{"NUL", ethereumText, "some_id", "some_id\x00", 13},
		{"no URI", ethereumText, "URI: https://service.example/login\n", "", 6},
		{"relative URI", ethereumText, "URI: https://service.example/login", "URI: /login", 6},
		{"URI with a space", ethereumText, "/login\n", "/log in\n", 6},
		{"URI with a backslash", ethereumText, "https://service.example/login", `https://service.example\@evil.example`, 6},
		{"URI with bad escape", ethereumText, "/login\n", "/%zz\n", 6},
		{"URI with cut escape", ethereumText, "/login\n", "/%2\n", 6},
		{"URI in Unicode", ethereumText, "/login\n", "/lögin\n", 6},
		{"URI with two fragments", ethereumText, "/login\n", "/#a#b\n", 6},
		{"URI with IPv6 of nine groups", ethereumText, "https://service.example/login", "x://[1:2:3:4:5:6:7:8:9]", 6},
		{"URI with open bracket", ethereumText, "https://service.example/login", "x://[::1", 6},
		{"URI with IPv4 in brackets", ethereumText, "https://service.example/login", "x://[127.0.0.1]", 6},
		{"URI with octet of 256", ethereumText, "https://service.example/login", "x://[::0.0.0.256]", 6},
		{"no version", ethereumText, "Version: 1\n", "", 7},
		{"version 2", ethereumText, "Version: 1", "Version: 2", 7},
		{"version 1.0", ethereumText, "Version: 1", "Version: 1.0", 7},
		{"no chain", ethereumText, "Chain ID: 1\n", "", 8},
		{"empty chain", ethereumText, "Chain ID: 1", "Chain ID: ", 8},
		{"hex chain", ethereumText, "Chain ID: 1", "Chain ID: 0x1", 8},
		{"negative chain", ethereumText, "Chain ID: 1", "Chain ID: -1", 8},
		{"CAIP-2 chain", ethereumText, "Chain ID: 1", "Chain ID: eip155:1", 8},
		{"digits of another script", ethereumText, "Chain ID: 1", "Chain ID: ١", 8},
		{"no nonce", ethereumText, "Nonce: 32891757\n", "", 9},
		{"short nonce", ethereumText, "Nonce: 32891757", "Nonce: 3289175", 9},
		{"nonce with a hyphen", ethereumText, "Nonce: 32891757", "Nonce: 3289-1757", 9},
		{"nonce with a space", ethereumText, "Nonce: 32891757", "Nonce:  32891757", 9},
		{"two nonces", ethereumText, "Nonce: 32891757", "Nonce: 32891757\nNonce: 12345678", 10},
		{"label in another case", ethereumText, "Nonce:", "nonce:", 9},
		{"no issue time", ethereumText, "Issued At: " + issued + "\n", "", 10},
		{"date only", ethereumText, issued, "2021-09-30", 10},
		{"no offset", ethereumText, issued, "2021-09-30T16:25:24", 10},
		{"space for T", ethereumText, issued, "2021-09-30 16:25:24Z", 10},
		{"comma for the point", ethereumText, issued, "2021-09-30T16:25:24,5Z", 10},
		{"no fraction", ethereumText, issued, "2021-09-30T16:25:24.Z", 10},
		{"hour of one digit", ethereumText, issued, "2021-09-30T6:25:24Z", 10},
		{"hour 24", ethereumText, issued, "2021-09-30T24:00:00Z", 10},
		{"31 February", ethereumText, issued, "2021-02-31T16:25:24Z", 10},
		{"offset without colon", ethereumText, issued, "2021-09-30T16:25:24+0200", 10},
		{"offset of 24 hours", ethereumText, issued, "2021-09-30T16:25:24+24:00", 10},
		{"offset of 60 minutes", ethereumText, issued, "2021-09-30T16:25:24+00:60", 10},
		{"text after the time", ethereumText, issued, issued + " ", 10},
		{"bad expiration", ethereumText, "2021-10-01T16:25:24Z", "tomorrow", 11},
		{"bad not before", ethereumText, "Not Before: 2021-09-30T16:25:24Z", "Not Before: ", 12},
		{"not before first", ethereumText, "Expiration Time: 2021-10-01T16:25:24Z\nNot Before: 2021-09-30T16:25:24Z",
			"Not Before: 2021-09-30T16:25:24Z\nExpiration Time: 2021-10-01T16:25:24Z", 12},
		{"bad request id", ethereumText, "some_id", "some/id", 13},
		{"text after resources", ethereumText, "Resources:", "Resources: ", 14},
		{"relative resource", ethereumText, "- ipfs://", "- ", 15},
		{"resource without mark", ethereumText, "- ipfs://", "ipfs://", 15},
		{"line feed at the end", ethereumText, "claim.json", "claim.json\n", 17},
		{"CR LF", ethereumText, "\n", "\r\n", 1},

		{"Solana with a scheme", solanaText, "service.example wants", "https://service.example wants", 1},
		{"Solana with an Ethereum address", solanaText, "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", 2},
		{"Solana without statement, two lines", solanaText, "\nA statement.\n\n", "\n\n", 4},
		{"Solana with empty statement", solanaText, "\nA statement.\n\n", "\n\n\n", 4},
		{"Solana without nonce", solanaText, "Nonce: 32891757\n", "", 9},
		{"Solana without issue time", solanaText, "\nIssued At: " + issued, "", 10},
		{"Solana on an unknown chain", solanaText, "Chain ID: mainnet", "Chain ID: mainnet-beta", 8},
		{"Solana by another namespace", solanaText, "Chain ID: mainnet", "Chain ID: eip155:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", 8},
		{"Solana by a part of a genesis hash", solanaText, "Chain ID: mainnet", "Chain ID: solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvd", 8},
		{"Solana localnet with its namespace", solanaText, "Chain ID: mainnet", "Chain ID: solana:localnet", 8},
		{"Solana version 2", solanaText, "Version: 1", "Version: 2", 7},

		{"bare with a scheme", bareText, "service.example wants", "https://service.example wants", 1},
		{"bare with a chain", bareText, "Nonce:", "Chain ID: 1\nNonce:", 8},
		{"bare with a Solana address", bareText, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM", 2},
		{"bare eip191", bareText, "Ed25519", "eip191", 2},
		{"bare without URI", bareText, "URI: https://service.example/login\n", "", 6},
		{"bare without version", bareText, "Version: 1\n", "", 7},
		{"bare account name too long", bareText, "Ed25519", strings.Repeat("E", 65), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := wallet.ParseMessage(replaced(t, test.text, test.old, test.by))
			var syntax *wallet.SyntaxError
			if !errors.As(err, &syntax) || !errors.Is(err, wallet.ErrMalformedMessage) {
				t.Fatalf("got %v", err)
			}
			if syntax.Line != test.line {
				t.Errorf("line %d, want %d: %v", syntax.Line, test.line, err)
			}
		})
	}
}

func TestParseMessageRefusesAsAWhole(t *testing.T) {
	for name, text := range map[string]string{
		"empty":      "",
		"not UTF-8":  ethereumText + "\xff",
		"too long":   ethereumText + strings.Repeat("\n- x:", wallet.MaxMessageSize/5),
		"one line":   "service.example wants you to sign in with your Ethereum account:",
		"line feeds": strings.Repeat("\n", 20),
		"a nonce":    testNonce,
	} {
		if _, err := wallet.ParseMessage(text); !errors.Is(err, wallet.ErrMalformedMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{ethereumText, solanaText, bareText} {
		for i := range text {
			if _, err := wallet.ParseMessage(text[:i]); err == nil && !strings.HasPrefix(text[i:], "\n") && text[i] != '\n' {
				// Only an optional field may be cut in its own length.
				if i < strings.Index(text, "Issued At: ")+len("Issued At: 2021-09-30T16:25:24.000Z") {
					t.Errorf("accepted when cut at %d", i)
				}
			}
		}
	}
	whole, line := &wallet.SyntaxError{Reason: "not UTF-8"}, &wallet.SyntaxError{Line: 5, Reason: "must be empty"}
	if whole.Error() != "malformed message: not UTF-8" || line.Error() != "malformed message, line 5: must be empty" {
		t.Errorf("%v; %v", whole, line)
	}
	checksum := strings.Replace(ethereumText, "0xC02a", "0xc02a", 1)
	if _, err := wallet.ParseMessage(checksum); !errors.Is(err, wallet.ErrBadChecksum) || wallet.Code(err) != "bad_checksum" {
		t.Errorf("wrong checksum: %v", err)
	}
}
