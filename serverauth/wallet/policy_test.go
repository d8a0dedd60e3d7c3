package wallet_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

func TestPolicyCheck(t *testing.T) {
	at := func(offset time.Duration) *time.Time { return new(testNow.Add(offset)) }
	sepolia := wallet.ChainID{Namespace: "eip155", Reference: "11155111"}
	devnet := wallet.ChainID{Namespace: "solana", Reference: "EtWTRABZaYq6iMfeYKouRu166VU2xqa1"}
	type change func(m *wallet.Message, p *wallet.MessagePolicy)
	for _, test := range []struct {
		name   string
		build  func() *wallet.Message
		change change
		want   error
	}{
		{"Ethereum", ethereumMessage, nil, nil},
		{"Solana", solanaMessage, nil, nil},
		{"bare", bareMessage, nil, nil},

		{"other domain", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Domain = "evil.example" }, wallet.ErrDomainMismatch},
		{"domain with another port", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Domain = "example.com:8443" }, wallet.ErrDomainMismatch},
		{"domain with its default port", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Domain = "example.com:443" }, wallet.ErrDomainMismatch},
		{"domain in another case", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Domain = "Example.com" }, wallet.ErrDomainMismatch},
		{"sub-domain", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Domain = "a.example.com" }, wallet.ErrDomainMismatch},
		{"user information", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Domain = "example.com@example.com" }, wallet.ErrDomainMismatch},
		{"trailing dot", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Domain = "example.com." }, wallet.ErrDomainMismatch},
		{"scheme https", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Scheme = "https" }, nil},
		{"scheme http", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Scheme = "http" }, wallet.ErrDomainMismatch},
		{"scheme http on loopback", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Scheme, m.Domain = "http", "localhost:8100" }, nil},
		{"no domain allowed", ethereumMessage, func(_ *wallet.Message, p *wallet.MessagePolicy) { p.Domains = nil }, wallet.ErrDomainMismatch},

		{"URI of the other site", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.URI = "http://localhost:8100/x" }, nil},
		{"URI elsewhere", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.URI = "https://evil.example/" }, wallet.ErrURIMismatch},
		{"URI over http", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.URI = "http://example.com/" }, wallet.ErrURIMismatch},
		{"URI with user information", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.URI = "https://example.com@evil.example" }, wallet.ErrURIMismatch},
		{"URI with the user's information", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.URI = "https://user@example.com" }, wallet.ErrURIMismatch},
		{"URN", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.URI = "urn:example.com" }, wallet.ErrURIMismatch},
		{"no URI", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.URI = "" }, wallet.ErrURIMismatch},
		{"Solana without URI", solanaMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.URI = "" }, nil},
		{"Solana with URI elsewhere", solanaMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.URI = "https://evil.example" }, wallet.ErrURIMismatch},

		{"other chain", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Chain = sepolia }, wallet.ErrChainNotAllowed},
		{"the other chain allowed", ethereumMessage, func(m *wallet.Message, p *wallet.MessagePolicy) {
			m.Chain = sepolia
			p.Chains = append(p.Chains, sepolia)
		}, nil},
		{"zeros before the chain", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Chain.Reference = "01" }, wallet.ErrChainNotAllowed},
		{"Solana on another chain", solanaMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Chain = devnet }, wallet.ErrChainNotAllowed},
		{"Solana without chain", solanaMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Chain = wallet.ChainID{} }, nil},
		{"Solana without chain, none allowed", solanaMessage, func(m *wallet.Message, p *wallet.MessagePolicy) {
			m.Chain = wallet.ChainID{}
			p.Chains = p.Chains[:1]
		}, wallet.ErrChainNotAllowed},
		{"bare key, no chain allowed", bareMessage, func(_ *wallet.Message, p *wallet.MessagePolicy) { p.Chains = nil }, nil},

		{"address in lower case", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.Address = strings.ToLower(m.Address) }, wallet.ErrBadChecksum},
		{"address in upper case", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) {
			m.Address = "0x" + strings.ToUpper(m.Address[2:])
		}, wallet.ErrBadChecksum},
		{"address in lower case, allowed", ethereumMessage, func(m *wallet.Message, p *wallet.MessagePolicy) {
			m.Address = strings.ToLower(m.Address)
			p.AllowUnchecksummed = true
		}, nil},
		{"wrong checksum, lower case allowed", ethereumMessage, func(m *wallet.Message, p *wallet.MessagePolicy) {
			m.Address = "0xD" + m.Address[3:]
			p.AllowUnchecksummed = true
		}, wallet.ErrBadChecksum},

		{"issued within the skew", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.IssuedAt = *at(time.Minute) }, nil},
		{"issued in the future", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.IssuedAt = *at(time.Minute + 1) }, wallet.ErrIssuedAtOutOfRange},
		{"issued a life and the skew ago", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.IssuedAt = *at(-6 * time.Minute) }, nil},
		{"issued before", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.IssuedAt = *at(-6*time.Minute - 1) }, wallet.ErrIssuedAtOutOfRange},
		{"issued in year 1", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.IssuedAt = time.Time{} }, wallet.ErrIssuedAtOutOfRange},
		{"expired within the skew", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.ExpirationTime = at(-time.Minute + 1) }, nil},
		{"expired", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.ExpirationTime = at(-time.Minute) }, wallet.ErrMessageExpired},
		{"expired in year 1", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.ExpirationTime = new(time.Time) }, wallet.ErrMessageExpired},
		{"not before, within the skew", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.NotBefore = at(time.Minute) }, nil},
		{"not before", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) { m.NotBefore = at(time.Minute + 1) }, wallet.ErrMessageNotYetValid},
		{"not before without expiration", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) {
			m.NotBefore, m.ExpirationTime = at(time.Hour), nil
		}, wallet.ErrMessageNotYetValid},
		{"expired without not before", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) {
			m.NotBefore, m.ExpirationTime = nil, at(-time.Hour)
		}, wallet.ErrMessageExpired},
		{"no time but the issue time", ethereumMessage, func(m *wallet.Message, _ *wallet.MessagePolicy) {
			m.NotBefore, m.ExpirationTime = nil, nil
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			message, policy := test.build(), testPolicy()
			if test.change != nil {
				test.change(message, &policy)
			}
			if err := policy.Check(message, testNow); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestParseDomain(t *testing.T) {
	for _, test := range []struct {
		text string
		want wallet.Domain
		ok   bool
	}{
		{"example.com", wallet.Domain{Host: "example.com"}, true},
		{"Example.COM:8443", wallet.Domain{Host: "example.com:8443"}, true},
		{"http://example.com", wallet.Domain{Scheme: "http", Host: "example.com"}, true},
		{"HTTPS://localhost:3000", wallet.Domain{Scheme: "https", Host: "localhost:3000"}, true},
		{"[::1]:8100", wallet.Domain{Host: "[::1]:8100"}, true},
		{"chrome-extension://abcdef", wallet.Domain{Scheme: "chrome-extension", Host: "abcdef"}, true},
		{"xn--bcher-kva.example", wallet.Domain{Host: "xn--bcher-kva.example"}, true},
		{text: ""}, {text: "https://"}, {text: "://example.com"}, {text: "https://example.com/"}, {text: "user@example.com"},
		{text: "*.example.com"}, {text: "*"}, {text: "example.com:"}, {text: "example.com:x"}, {text: "example.com:123456"},
		{text: "::1"}, {text: "[::1"}, {text: "bücher.example"}, {text: "example.com?"}, {text: "a b"}, {text: ":80"},
		{text: "https://https://example.com"},
	} {
		got, err := wallet.ParseDomain(test.text)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("%q: %+v, %v", test.text, got, err)
		}
		if again, err := wallet.ParseDomain(got.String()); test.ok && (err != nil || again != got) {
			t.Errorf("%q is read back as %+v, %v", got, again, err)
		}
	}
}

func TestDomainAllows(t *testing.T) {
	for _, test := range []struct {
		entry, scheme, host string
		want                bool
	}{
		{"example.com", "", "example.com", true},
		{"example.com", "https", "example.com", true},
		{"example.com", "http", "example.com", false},
		{"example.com", "HTTPS", "example.com", false},
		{"http://example.com", "http", "example.com", true},
		{"http://example.com", "https", "example.com", false},
		{"http://example.com", "", "example.com", true},
		{"localhost", "http", "localhost", true},
		{"localhost:3000", "http", "localhost:3000", true},
		{"localhost:3000", "https", "localhost:3000", true},
		{"localhost:3000", "ftp", "localhost:3000", false},
		{"localhost:3000", "http", "localhost", false},
		{"app.localhost", "http", "app.localhost", true},
		{"127.0.0.1:8100", "http", "127.0.0.1:8100", true},
		{"127.9.9.9", "http", "127.9.9.9", true},
		{"[::1]:8100", "http", "[::1]:8100", true},
		{"[::2]", "http", "[::2]", false},
		{"notlocalhost", "http", "notlocalhost", false},
		{"localhost.example.com", "http", "localhost.example.com", false},
		{"127.0.0.1.example.com", "http", "127.0.0.1.example.com", false},
		{"10.0.0.1", "http", "10.0.0.1", false},
		{"https://localhost", "http", "localhost", false},
	} {
		entry, err := wallet.ParseDomain(test.entry)
		if err != nil {
			t.Fatal(err)
		}
		if got := entry.Allows(test.scheme, test.host); got != test.want {
			t.Errorf("%s allows %s://%s: %v", test.entry, test.scheme, test.host, got)
		}
	}
}

func TestPolicySite(t *testing.T) {
	policy := testPolicy()
	policy.Domains = append(policy.Domains, wallet.Domain{Scheme: "http", Host: "intranet"})
	for _, test := range []struct{ name, origin string }{
		{"", "https://example.com"},
		{"example.com", "https://example.com"},
		{"Example.com", "https://example.com"},
		{"https://example.com", "https://example.com"},
		{"localhost:8100", "http://localhost:8100"},
		{"https://localhost:8100", "https://localhost:8100"},
		{"intranet", "http://intranet"},
		{"http://example.com", ""}, {"https://intranet", ""}, {"evil.example", ""}, {"null", ""}, {"https://example.com/", ""},
		{"example.com@evil.example", ""}, {"*", ""},
	} {
		site, ok := policy.Site(test.name)
		if ok != (test.origin != "") || ok && site.Origin() != test.origin {
			t.Errorf("%q: %+v, %v", test.name, site, ok)
		}
		if !ok {
			continue
		}
		m := ethereumMessage()
		m.Domain, m.URI = site.Host, site.Origin()
		if err := policy.Check(m, testNow); err != nil {
			t.Errorf("%q: the message for it is refused: %v", test.name, err)
		}
	}
	if _, ok := (wallet.MessagePolicy{}).Site(""); ok {
		t.Error("an empty list allows a site")
	}
}

func TestPolicyChainFor(t *testing.T) {
	policy := testPolicy()
	none := wallet.ChainID{}
	for _, test := range []struct {
		kind   wallet.AddressKind
		wanted wallet.ChainID
		want   wallet.ChainID
	}{
		{wallet.Ethereum, none, policy.Chains[0]},
		{wallet.Ethereum, policy.Chains[0], policy.Chains[0]},
		{wallet.Ethereum, policy.Chains[1], none},
		{wallet.Solana, none, policy.Chains[1]},
		{wallet.Solana, policy.Chains[0], none},
		{wallet.Raw, none, none},
		{wallet.Raw, policy.Chains[0], none},
	} {
		got, err := policy.ChainFor(test.kind, test.wanted)
		if got != test.want || (err == nil) != (test.want != none) || err != nil && !errors.Is(err, wallet.ErrChainNotAllowed) {
			t.Errorf("%d, %v: %v, %v", test.kind, test.wanted, got, err)
		}
	}
}
