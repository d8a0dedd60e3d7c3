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

// SyntaxError says where a message breaks the grammar. It is an
// ErrMalformedMessage, and also an ErrBadChecksum if that is the cause.
type SyntaxError struct {
	Line   int    // from 1; 0 for the message as a whole
	Reason string // what the line should be; contains no client input
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

// ParseMessage parses an EIP-4361, a Sign-In with Solana or a CAIP-122 message;
// its first line determines which. It follows the published grammar, except
// that a statement may be any Unicode text on one line, a Solana message must
// have a nonce and an issue time, and its chain may be a CAIP-2 id. The text is
// at most MaxMessageSize bytes of UTF-8 whose lines end with LF alone.
//
// The error is a *SyntaxError.
func ParseMessage(text string) (*Message, error) { return parseMessage(text, &Message{}) }

// parseMessage parses a message. If the address is that of known, the signer of known is used and not parsed again.
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

// AccountIn returns the account in the first line of a text: Ethereum, Solana
// or the name of an algorithm. It returns "" if that line is not of a message.
// The rest of the text is not parsed, and a CR at the end of the line is
// ignored: ParseMessage reports what is wrong.
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

// fail returns an error for the current line.
func (p *messageParser) fail(reason string) error {
	return &SyntaxError{Line: p.next + 1, Reason: reason}
}

// peek returns the line n lines after the current one.
func (p *messageParser) peek(n int) (line string, ok bool) {
	if p.next+n >= len(p.lines) {
		return "", false
	}
	return p.lines[p.next+n], true
}

// field returns the rest of the current line if it begins with label. If it
// does not, a required one is an error. The caller accepts the value.
func (p *messageParser) field(label string, required bool) (value string, ok bool, err error) {
	line, _ := p.peek(0)
	if value, ok = strings.CutPrefix(line, label); !ok && required {
		err = p.fail("must begin with \"" + label + "\"")
	}
	return value, ok, err
}

// accept moves to the next line if the current one is valid.
func (p *messageParser) accept(valid bool, reason string) error {
	if !valid {
		return p.fail(reason)
	}
	p.next++
	return nil
}
