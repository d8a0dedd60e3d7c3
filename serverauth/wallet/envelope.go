package wallet

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Envelope is the text that a Solana wallet signed. If the wallet used an
// off-chain message envelope, it has the signers that this names.
type Envelope struct {
	// Text is the message inside. It has not been parsed.
	Text string

	// Signers are the 32-byte keys that the envelope names. Plain text and the
	// legacy form have none.
	Signers [][]byte
}

// The parts of an off-chain message. All three forms begin with the signing
// domain and a version byte. Neither UTF-8 text nor a transaction can begin
// with the first byte of the domain.
const (
	offchainDomain     = "\xffsolana offchain"
	applicationDomain  = 32
	solanaKeySize      = 32
	maxLedgerEnvelope  = 1232 // for formats 0 and 1, envelope included
	formatASCII        = 0    // 0x20 to 0x7e
	formatLimitedUTF8  = 1
	formatExtendedUTF8 = 2
)

var (
	errTruncated = &SyntaxError{Reason: "off-chain envelope is truncated or has trailing bytes"}
	errVersion   = &SyntaxError{Reason: "unknown version of the off-chain envelope"}
	errFormat    = &SyntaxError{Reason: "text does not have the format that the off-chain envelope names"}
	errSigners   = &SyntaxError{Reason: "off-chain envelope must name its signers, in version 1 sorted and once each"}
)

// Unwrap parses the bytes that a Solana wallet signed: plain text, or an
// off-chain message in the form of the command-line tools (version 0 without
// signers), version 0 or version 1. The bytes alone determine the form, so that
// they mean the same for every signer. The error is a *SyntaxError.
//
// The signature is over all the bytes given, not over Text.
func Unwrap(signed []byte) (Envelope, error) {
	body, isEnvelope := bytes.CutPrefix(signed, []byte(offchainDomain))
	if !isEnvelope {
		return Envelope{Text: string(signed)}, nil
	}
	if len(body) == 0 {
		return Envelope{}, errTruncated
	}
	switch version, body := body[0], body[1:]; {
	case version == 0 && isLegacy(body):
		return readText(body[0], body[1:], len(signed))
	case version == 0:
		return unwrapV0(body, len(signed))
	case version == 1:
		return unwrapV1(body)
	default:
		return Envelope{}, errVersion
	}
}

// CheckSigner returns ErrAddressMismatch if the envelope names its signers and
// the key is not among them.
func (e Envelope) CheckSigner(key []byte) error {
	named := func(signer []byte) bool { return bytes.Equal(signer, key) }
	if len(e.Signers) > 0 && !slices.ContainsFunc(e.Signers, named) {
		return ErrAddressMismatch
	}
	return nil
}

// isLegacy reports whether a body of version 0 names no signers: it is a
// format, a length and a text without control characters but LF. In a body with
// signers, that text would contain the format byte, a control character.
func isLegacy(body []byte) bool {
	if len(body) == 0 {
		return false
	}
	text, ok := cutText(body[1:])
	return ok && !bytes.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' })
}

// unwrapV0 parses application domain, format, signers, length and text. size is
// the size of the whole envelope in bytes.
func unwrapV0(body []byte, size int) (Envelope, error) {
	if len(body) <= applicationDomain {
		return Envelope{}, errTruncated
	}
	format, body := body[applicationDomain], body[applicationDomain+1:]
	signers, rest, err := cutSigners(body)
	if err != nil {
		return Envelope{}, err
	}
	envelope, err := readText(format, rest, size)
	if err != nil {
		return Envelope{}, err
	}
	envelope.Signers = signers
	return envelope, nil
}

// unwrapV1 parses the signers, and the text up to the end.
func unwrapV1(body []byte) (Envelope, error) {
	signers, text, err := cutSigners(body)
	if err != nil {
		return Envelope{}, err
	}
	for i := 1; i < len(signers); i++ {
		if bytes.Compare(signers[i-1], signers[i]) >= 0 {
			return Envelope{}, errSigners
		}
	}
	if len(text) == 0 || !utf8.Valid(text) {
		return Envelope{}, errFormat
	}
	return Envelope{Text: string(text), Signers: signers}, nil
}

// cutText reads a length of two bytes, little endian, and a text of that
// length; ok is false unless the text ends the envelope.
func cutText(body []byte) (text []byte, ok bool) {
	if len(body) < 2 {
		return nil, false
	}
	length, text := binary.LittleEndian.Uint16(body), body[2:]
	return text, len(text) == int(length)
}

// readText reads length and text and checks them against the format. size is
// the size of the whole envelope in bytes.
func readText(format byte, body []byte, size int) (Envelope, error) {
	text, ok := cutText(body)
	if !ok {
		return Envelope{}, errTruncated
	}
	switch {
	case len(text) == 0 || !utf8.Valid(text):
		return Envelope{}, errFormat
	case format == formatASCII && (size > maxLedgerEnvelope || !isPrintableASCII(text)):
		return Envelope{}, errFormat
	case format == formatLimitedUTF8 && size > maxLedgerEnvelope:
		return Envelope{}, errFormat
	case format > formatExtendedUTF8:
		return Envelope{}, errFormat
	}
	return Envelope{Text: string(text)}, nil
}

func isPrintableASCII(text []byte) bool {
	return !bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// cutSigners reads a count of one byte and that many keys of 32 bytes.
func cutSigners(body []byte) (signers [][]byte, rest []byte, err error) {
	if len(body) == 0 {
		return nil, nil, errTruncated
	}
	count, rest := int(body[0]), body[1:]
	if count == 0 {
		return nil, nil, errSigners
	}
	if len(rest) < count*solanaKeySize {
		return nil, nil, errTruncated
	}
	for range count {
		signers = append(signers, bytes.Clone(rest[:solanaKeySize]))
		rest = rest[solanaKeySize:]
	}
	return signers, rest, nil
}
