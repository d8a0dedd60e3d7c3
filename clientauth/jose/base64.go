package jose

import (
	"encoding/base64"
	"fmt"
	"strings"
)

var base64URL = base64.RawURLEncoding.Strict()

// EncodeBase64 returns base64url without padding (RFC 7515 section 2).
func EncodeBase64(data []byte) string { return base64URL.EncodeToString(data) }

// DecodeBase64 decodes base64url without padding, in its canonical form alone: padding, white space, other alphabets
// and non-zero trailing bits are an [ErrMalformed]. Two different texts never decode to the same bytes.
func DecodeBase64(text string) ([]byte, error) {
	// The decoder of the standard library skips line breaks even when it is strict.
	if strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 {
		return nil, fmt.Errorf("%w: line break in base64url", ErrMalformed)
	}
	data, err := base64URL.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: not canonical base64url", ErrMalformed)
	}
	return data, nil
}
