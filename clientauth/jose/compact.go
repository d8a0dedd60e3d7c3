package jose

import (
	"fmt"
	"strings"
)

// Maximum sizes of a compact JWS, in bytes.
const (
	// MaxTokenBytes is enough for any token of this project: an ML-DSA-87 signature takes 6170 bytes.
	MaxTokenBytes = 16 << 10
	// MaxHeaderBytes is for the encoded header, which may contain a certificate chain that is not read here.
	MaxHeaderBytes = 8 << 10
	// MaxKeyIDBytes is for "kid".
	MaxKeyIDBytes = 256
)

// AccessTokenType is the "typ" of an access token (RFC 9068 section 2.1).
const AccessTokenType = "at+jwt"

// Compact is a parsed compact JWS (RFC 7515 section 7.1). Nothing in it is verified yet.
type Compact struct {
	// Algorithm is the "alg" of the header, never empty; it is any text that the sender chose.
	Algorithm string
	// KeyID is the "kid" of the header, or empty.
	KeyID string
	// Type is the "typ" of the header as it was sent, or empty.
	Type string
	// Header is the header as [ParseObject] returns it.
	Header map[string]any
	// Payload is the decoded payload: for a JWT the text of its claims.
	Payload []byte
	// SigningInput is the part of the token that the signature covers.
	SigningInput string
	// Signature is the decoded signature. It is never empty.
	Signature []byte
}

// ParseCompact parses a compact JWS: exactly three parts in canonical base64url, at most [MaxTokenBytes], with a
// header that is a strict JSON object (see [ParseObject]) with a text "alg". A header with any "crit" is an
// [ErrCritical]. Members that name or contain a key (jku, jwk, x5u, x5c) are in Header and otherwise ignored. Errors
// are [ErrMalformed], [ErrTooLarge] or [ErrCritical].
func ParseCompact(token string) (*Compact, error) {
	if len(token) > MaxTokenBytes {
		return nil, fmt.Errorf("%w: a token has at most %d bytes", ErrTooLarge, MaxTokenBytes)
	}
	header, rest, found := strings.Cut(token, ".")
	payload, signature, found2 := strings.Cut(rest, ".")
	if !found || !found2 || strings.IndexByte(signature, '.') >= 0 || signature == "" {
		return nil, fmt.Errorf("%w: a token has three parts", ErrMalformed)
	}
	if len(header) > MaxHeaderBytes {
		return nil, fmt.Errorf("%w: a token header has at most %d bytes", ErrTooLarge, MaxHeaderBytes)
	}
	c := &Compact{SigningInput: token[:len(header)+1+len(payload)]}
	err := c.readHeader(header)
	if err != nil {
		return nil, err
	}
	if c.Payload, err = DecodeBase64(payload); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	if c.Signature, err = DecodeBase64(signature); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return c, nil
}

func (c *Compact) readHeader(encoded string) error {
	text, err := DecodeBase64(encoded)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	header, err := ParseObject(text)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	c.Header = header
	if _, critical := header["crit"]; critical {
		return ErrCritical
	}
	if c.Algorithm, err = headerText(header, "alg"); err != nil {
		return err
	}
	if c.KeyID, err = headerText(header, "kid"); err != nil {
		return err
	}
	if c.Type, err = headerText(header, "typ"); err != nil {
		return err
	}
	if c.Algorithm == "" {
		return fmt.Errorf("%w: header without alg", ErrMalformed)
	}
	if len(c.KeyID) > MaxKeyIDBytes {
		return fmt.Errorf("%w: kid has at most %d bytes", ErrTooLarge, MaxKeyIDBytes)
	}
	return nil
}

// headerText returns a header member, which must be a text that is not empty, or "" if it is absent.
func headerText(header map[string]any, name string) (string, error) {
	value, present := header[name]
	text, isText := value.(string)
	if present && (!isText || text == "") {
		return "", fmt.Errorf("%w: header %q is not a text", ErrMalformed, name)
	}
	return text, nil
}
