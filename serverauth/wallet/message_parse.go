package wallet

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The fixed parts of a message.
const (
	headerMiddle    = " wants you to sign in with your "
	headerEnd       = " account:"
	labelURI        = "URI: "
	labelVersion    = "Version: "
	labelChain      = "Chain ID: "
	labelNonce      = "Nonce: "
	labelIssuedAt   = "Issued At: "
	labelExpiration = "Expiration Time: "
	labelNotBefore  = "Not Before: "
	labelRequestID  = "Request ID: "
	labelResources  = "Resources:"
	resourceMark    = "- "

	messageVersion = "1"
	minNonce       = 8
	maxAccountName = 64
)

// SyntaxError tells where a message leaves its grammar. It is an
// ErrMalformedMessage, or an ErrBadChecksum too where it is that.
type SyntaxError struct {
	Line   int    // from 1; 0 for the message as a whole
	Reason string // what the line should be; holds nothing that a client sent
	cause  error
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return "malformed message: " + e.Reason
	}
	return fmt.Sprintf("malformed message, line %d: %s", e.Line, e.Reason)
}

// Unwrap makes errors.Is find ErrMalformedMessage.
func (e *SyntaxError) Unwrap() []error {
	if e.cause != nil {
		return []error{e.cause, ErrMalformedMessage}
	}
	return []error{ErrMalformedMessage}
}

// ParseMessage reads an EIP-4361, a Sign-In with Solana or a CAIP-122 message;
// its first line says which. It accepts the published grammar, with two
// exceptions: a statement may be any Unicode text on one line, since real ones
// are, and a Solana message must have a nonce and an issue time. The text is
// at most MaxMessageSize bytes of UTF-8 whose lines end with LF alone.
//
// The error is a *SyntaxError.
func ParseMessage(text string) (*Message, error) { return parseMessage(text, &Message{}) }

// parseMessage reads a message whose signer may be known: the address of a message that was read is not read again.
func parseMessage(text string, known *Message) (*Message, error) {
	if len(text) > MaxMessageSize {
		return nil, &SyntaxError{Reason: fmt.Sprintf("longer than %d bytes", MaxMessageSize)}
	}
	if !utf8.ValidString(text) {
		return nil, &SyntaxError{Reason: "not UTF-8"}
	}
	p := messageParser{lines: strings.Split(text, "\n"), message: Message{signer: known.signer, readFrom: known.readFrom}}
	for i, line := range p.lines {
		if strings.ContainsFunc(line, unicode.IsControl) {
			return nil, &SyntaxError{Line: i + 1, Reason: "control character"}
		}
	}
	for _, read := range []func() error{
		p.header, p.address, p.statement, p.uri, p.version, p.chain, p.nonce, p.issuedAt,
		p.expirationTime, p.notBefore, p.requestID, p.resources, p.end,
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return &p.message, nil
}

// AccountIn returns the account that a text's first line names: Ethereum, Solana
// or the name of an algorithm; empty where that line is not a message's. The
// rest of the text is not read, and a CR before the line's end does not matter:
// ParseMessage says what is wrong with it.
func AccountIn(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	line = strings.TrimSuffix(line, "\r")
	if len(line) > MaxMessageSize {
		return ""
	}
	p := messageParser{lines: []string{line}}
	if p.header() != nil {
		return ""
	}
	return p.message.Account
}

// messageParser reads one line after the other.
type messageParser struct {
	lines   []string
	next    int // the line to read
	message Message
}

// fail names the line that is read now.
func (p *messageParser) fail(reason string) error {
	return &SyntaxError{Line: p.next + 1, Reason: reason}
}

// peek returns the line that is n after the next one.
func (p *messageParser) peek(n int) (line string, ok bool) {
	if p.next+n >= len(p.lines) {
		return "", false
	}
	return p.lines[p.next+n], true
}

// field returns the rest of the next line if that begins with label. The
// caller steps over it once its value is found good.
func (p *messageParser) field(label string) (value string, ok bool) {
	line, _ := p.peek(0)
	return strings.CutPrefix(line, label)
}

// missing is the answer to a line that does not begin with label.
func (p *messageParser) missing(label string, required bool) error {
	if required {
		return p.fail("must begin with \"" + label + "\"")
	}
	return nil
}
