package keys

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// AccessTokenType is the `typ` of an access token (RFC 9068 section 2.1).
const AccessTokenType = jose.AccessTokenType

// plainType is the `typ` of an ID token.
const plainType = "JWT"

// Signer signs tokens with one key. Get it from the ring for each token and do not keep it, because the active key changes.
type Signer struct {
	// KeyID is the `kid`.
	KeyID string
	// Algorithm is the `alg`.
	Algorithm string

	key      any
	method   jwt.SigningMethod
	lifetime time.Duration
	clock    app.Clock
	header   string // of an access token, encoded
	plain    string // of a token with plainType, encoded
}

func newSigner(r *Record, m *material, clock app.Clock) *Signer {
	s := &Signer{
		KeyID: r.ID, Algorithm: r.Algorithm, key: m.private, method: m.method, lifetime: r.TokenLifetime, clock: clock,
	}
	s.header, s.plain = s.encodeHeader(AccessTokenType), s.encodeHeader(plainType)
	return s
}

// encodeHeader returns the encoded JOSE header. The algorithm and the id need no escaping.
func (s *Signer) encodeHeader(typ string) string {
	header := `{"alg":"` + s.Algorithm + `","kid":"` + s.KeyID + `","typ":` + strconv.Quote(typ) + `}`
	return base64.RawURLEncoding.EncodeToString([]byte(header))
}

// Signer returns the active key. It returns [ErrUnavailable] if the store could not be read for 30 s: another process may have
// rotated since then, so the key might be removed before the token expires.
func (r *Ring) Signer() (*Signer, error) {
	v, _, err := r.current()
	if err != nil {
		return nil, err
	}
	if v.signing == nil {
		return nil, fmt.Errorf("%w: it holds no key", ErrUnavailable)
	}
	return v.signing, nil
}

// Sign returns a compact JWS (RFC 7515) of claims, a JSON object whose `exp` is expires (Unix seconds), signed with the active key.
// typ is the header parameter `typ`, in ASCII. It returns [ErrTokenLifetime] if expires is later from now than TokenLifetime in the
// key's [Record], because the key could be removed while the token is valid, and [ErrUnavailable] as Signer does.
func (r *Ring) Sign(typ string, claims []byte, expires int64) (string, error) {
	s, err := r.Signer()
	if err != nil {
		return "", err
	}
	return s.Sign(typ, claims, expires)
}

// Sign is [Ring.Sign] with this key.
func (s *Signer) Sign(typ string, claims []byte, expires int64) (string, error) {
	if limit := s.clock.Now().Add(s.lifetime + time.Second); expires > limit.Unix() { // a second for rounding
		return "", fmt.Errorf("%w: it expires later than %s from now", ErrTokenLifetime, s.lifetime)
	}
	header := s.header
	switch typ {
	case AccessTokenType:
	case plainType:
		header = s.plain
	default:
		header = s.encodeHeader(typ)
	}
	encoding := base64.RawURLEncoding
	size := len(header) + 1 + encoding.EncodedLen(len(claims))
	token := make([]byte, 0, size+1+maxEncodedSignature)
	token = append(append(token, header...), '.')
	token = encoding.AppendEncode(token, claims)
	signature, err := s.method.Sign(string(token), s.key)
	if err != nil {
		return "", fmt.Errorf("keys: sign with %s %s: %w", s.Algorithm, s.KeyID, err)
	}
	token = append(token, '.')
	return string(encoding.AppendEncode(token, signature)), nil
}

// maxEncodedSignature is enough for all signatures except those of ML-DSA, for which the buffer grows.
const maxEncodedSignature = 350
