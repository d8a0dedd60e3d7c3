package wallet

import (
	"strings"
	"time"
)

// The lines of a message, in their order. Each method parses its line and moves
// to the next one. If an optional line is absent, it does not move.

func (p *messageParser) header() error {
	m := &p.message
	domain, rest, found := strings.Cut(p.lines[0], headerMiddle)
	account, complete := strings.CutSuffix(rest, headerEnd)
	if !found || !complete {
		return p.fail("must be \"DOMAIN wants you to sign in with your ACCOUNT account:\"")
	}
	if account == "" || len(account) > maxAccountName || !consistsOf(account, isNameChar) {
		return p.fail("account must be Ethereum, Solana or the name of an algorithm")
	}
	m.Account, m.Domain = account, domain
	if scheme, rest, found := strings.Cut(domain, "://"); found && m.Kind() == Ethereum {
		if !isURIScheme(scheme) {
			return p.fail("scheme must be one of RFC 3986")
		}
		m.Scheme, m.Domain = scheme, rest
	}
	return p.accept(m.Domain != "" && isAuthority(m.Domain), "domain must be host[:port]")
}

func (p *messageParser) address() error {
	m := &p.message
	m.Address, _ = p.peek(0)
	m.signer, m.readFrom = m.Signer(), m.Address
	switch m.Kind() {
	case Ethereum:
		if err := m.signer.checkEthereum(); err != nil {
			return &SyntaxError{Line: p.next + 1, Reason: err.Error(), cause: err}
		}
	case Solana:
		if m.signer.kind != Solana {
			return p.fail("must be a Solana address")
		}
	default:
		if m.Address == "" || !consistsOf(m.Address, isNameChar) {
			return p.fail("must be an address")
		}
		if m.signer.MessageAccount(m.Account) != m.Account {
			return p.fail("an address of a chain signs in with that chain's message")
		}
	}
	p.next++
	line, ok := p.peek(0)
	return p.accept(ok && line == "", "must be empty")
}

// statement reads up to the empty line above the fields. Without a statement, a
// Solana message has no line there, any other one more empty line.
func (p *messageParser) statement() error {
	line, _ := p.peek(0)
	after, ok := p.peek(1)
	if p.message.Kind() == Solana {
		if !ok || after != "" {
			return nil
		}
		if line == "" {
			return p.fail("statement must not be empty")
		}
	} else if line == "" && after != "" {
		p.next++
		return nil
	}
	if strings.ContainsAny(line, "\u2028\u2029") {
		return p.fail("line or paragraph separator")
	}
	p.message.Statement = line
	p.next++
	return p.accept(ok && after == "", "must be empty")
}

func (p *messageParser) uri() error {
	value, ok, err := p.field(labelURI, p.message.Kind() != Solana)
	if !ok {
		return err
	}
	p.message.URI = value
	_, _, isURI := splitURI(value)
	return p.accept(isURI, "must be a URI of RFC 3986")
}

func (p *messageParser) version() error {
	value, ok, err := p.field(labelVersion, p.message.Kind() != Solana)
	if !ok {
		return err
	}
	return p.accept(value == messageVersion, "version must be 1")
}

func (p *messageParser) chain() error {
	value, ok, _ := p.field(labelChain, false)
	switch p.message.Kind() {
	case Ethereum:
		p.message.Chain = ChainID{NamespaceEthereum, value}
		return p.accept(ok && value != "" && consistsOf(value, isDigit), "must be \"Chain ID: \" and a number")
	case Solana:
		if !ok {
			return nil
		}
		p.message.Chain, ok = parseSolanaChain(value)
		return p.accept(ok, "unknown Solana chain")
	default:
		return nil // nonce then refuses a Chain ID line
	}
}

func (p *messageParser) nonce() error {
	value, ok, err := p.field(labelNonce, true)
	if !ok {
		return err
	}
	p.message.Nonce = value
	return p.accept(len(value) >= minNonce && consistsOf(value, isAlphanumeric), "nonce must be 8 or more letters and digits")
}

func (p *messageParser) issuedAt() error {
	at, err := p.time(labelIssuedAt, true)
	if err == nil {
		p.message.IssuedAt = *at
	}
	return err
}

func (p *messageParser) expirationTime() (err error) {
	p.message.ExpirationTime, err = p.time(labelExpiration, false)
	return err
}

func (p *messageParser) notBefore() (err error) {
	p.message.NotBefore, err = p.time(labelNotBefore, false)
	return err
}

// time parses a line with a time; nil: an optional one is absent.
func (p *messageParser) time(label string, required bool) (*time.Time, error) {
	value, ok, err := p.field(label, required)
	if !ok {
		return nil, err
	}
	at, ok := parseTime(value)
	return &at, p.accept(ok, "must be a time of RFC 3339")
}

func (p *messageParser) requestID() error {
	value, ok, _ := p.field(labelRequestID, false)
	if !ok {
		return nil
	}
	p.message.RequestID = value
	return p.accept(isEncoded(value, ":@"), "request id must be of RFC 3986 path characters")
}

func (p *messageParser) resources() error {
	if line, ok := p.peek(0); !ok || line != labelResources {
		return nil
	}
	p.next++
	p.message.Resources = []string{}
	for {
		value, ok, _ := p.field(resourceMark, false)
		if !ok {
			return nil
		}
		p.message.Resources = append(p.message.Resources, value)
		_, _, isURI := splitURI(value)
		if err := p.accept(isURI, "must be a URI of RFC 3986"); err != nil {
			return err
		}
	}
}

func (p *messageParser) end() error {
	if p.next < len(p.lines) {
		return p.fail("unexpected line")
	}
	return nil
}
