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
	if m.Domain == "" || !isAuthority(m.Domain) {
		return p.fail("domain must be host[:port]")
	}
	p.next++
	return nil
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
	if line, ok := p.peek(0); !ok || line != "" {
		return p.fail("must be empty")
	}
	p.next++
	return nil
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
	if !ok || after != "" {
		return p.fail("must be empty")
	}
	p.next++
	return nil
}

func (p *messageParser) uri() error {
	value, ok := p.field(labelURI)
	if !ok {
		return p.missing(labelURI, p.message.Kind() != Solana)
	}
	if _, _, ok := splitURI(value); !ok {
		return p.fail("must be a URI of RFC 3986")
	}
	p.message.URI = value
	p.next++
	return nil
}

func (p *messageParser) version() error {
	value, ok := p.field(labelVersion)
	if !ok {
		return p.missing(labelVersion, p.message.Kind() != Solana)
	}
	if value != messageVersion {
		return p.fail("version must be 1")
	}
	p.next++
	return nil
}

func (p *messageParser) chain() error {
	value, ok := p.field(labelChain)
	switch p.message.Kind() {
	case Ethereum:
		if !ok || value == "" || !consistsOf(value, isDigit) {
			return p.fail("must be \"Chain ID: \" and a number")
		}
		p.message.Chain = ChainID{NamespaceEthereum, value}
	case Solana:
		if !ok {
			return nil
		}
		if p.message.Chain, ok = parseSolanaChain(value); !ok {
			return p.fail("unknown Solana chain")
		}
	default:
		return nil // nonce then refuses a Chain ID line
	}
	p.next++
	return nil
}

func (p *messageParser) nonce() error {
	value, ok := p.field(labelNonce)
	if !ok {
		return p.missing(labelNonce, true)
	}
	if len(value) < minNonce || !consistsOf(value, isAlphanumeric) {
		return p.fail("nonce must be 8 or more letters and digits")
	}
	p.message.Nonce = value
	p.next++
	return nil
}

func (p *messageParser) issuedAt() error {
	at, err := p.time(labelIssuedAt)
	if err == nil && at == nil {
		return p.missing(labelIssuedAt, true)
	}
	if err == nil {
		p.message.IssuedAt = *at
	}
	return err
}

func (p *messageParser) expirationTime() (err error) {
	p.message.ExpirationTime, err = p.time(labelExpiration)
	return err
}

func (p *messageParser) notBefore() (err error) {
	p.message.NotBefore, err = p.time(labelNotBefore)
	return err
}

// time parses an optional line; nil: absent.
func (p *messageParser) time(label string) (*time.Time, error) {
	value, ok := p.field(label)
	if !ok {
		return nil, nil
	}
	at, ok := parseTime(value)
	if !ok {
		return nil, p.fail("must be a time of RFC 3339")
	}
	p.next++
	return &at, nil
}

func (p *messageParser) requestID() error {
	value, ok := p.field(labelRequestID)
	if !ok {
		return nil
	}
	if !isEncoded(value, ":@") {
		return p.fail("request id must be of RFC 3986 path characters")
	}
	p.message.RequestID = value
	p.next++
	return nil
}

func (p *messageParser) resources() error {
	if line, ok := p.peek(0); !ok || line != labelResources {
		return nil
	}
	p.next++
	p.message.Resources = []string{}
	for {
		value, ok := p.field(resourceMark)
		if !ok {
			return nil
		}
		if _, _, ok := splitURI(value); !ok {
			return p.fail("must be a URI of RFC 3986")
		}
		p.message.Resources = append(p.message.Resources, value)
		p.next++
	}
}

func (p *messageParser) end() error {
	if p.next < len(p.lines) {
		return p.fail("unexpected line")
	}
	return nil
}
