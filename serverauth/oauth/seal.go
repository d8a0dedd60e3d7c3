package oauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/picoauth/picoauth/serverauth/internal/mac"
)

// secretName is the name of the key ring's secret for the MACs of this package.
const secretName = "oauth"

var base64url = base64.RawURLEncoding.Strict()

// sealer adds a MAC to data that the server gives away and reads back, so that the server need not store it. Each purpose has its
// own key.
type sealer struct {
	rows mac.Row
	most int // the longest text, in bytes
}

func newSealer(secret func() []byte, purpose string, most int) sealer {
	return sealer{mac.NewRow(secret, "oauth "+purpose), most}
}

// seal returns v as text with a MAC, and its JSON. It is not encrypted.
func (s sealer) seal(v any) (text string, payload []byte, err error) {
	payload, err = json.Marshal(v, json.OmitZeroStructFields(true))
	if err != nil {
		return "", nil, err
	}
	sum := s.rows.Of(payload)
	sealed := make([]byte, 0, base64url.EncodedLen(len(payload))+1+base64url.EncodedLen(len(sum)))
	sealed = append(base64url.AppendEncode(sealed, payload), '.')
	return string(base64url.AppendEncode(sealed, sum[:])), payload, nil
}

// open reads a sealed text into v and returns its JSON. It reports false if the server did not make it.
func (s sealer) open(text string, v any) (payload []byte, ok bool) {
	encoded, tag, found := strings.Cut(text, ".")
	if !found || len(text) > s.most {
		return nil, false
	}
	payload, err := base64url.DecodeString(encoded)
	if err != nil {
		return nil, false
	}
	given, err := base64url.DecodeString(tag)
	sum := s.rows.Of(payload)
	return payload, err == nil && hmac.Equal(given, sum[:]) && json.Unmarshal(payload, v) == nil
}

// digest is the SHA-256 of texts as base64url. Each text is length-prefixed.
func digest(texts ...string) string {
	sum := sha256.Sum256(mac.Fields{}.Texts(texts...))
	return base64url.EncodeToString(sum[:])
}

// randomID returns 128 random bits as 22 characters of base64url.
func randomID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return base64url.EncodeToString(id[:])
}
