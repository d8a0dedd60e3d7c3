package keys

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/picoauth/picoauth/app"
)

// AccessTokenType is the `typ` of an access token (RFC 9068 section 2.1).
const AccessTokenType = "at+jwt"

// Signer makes tokens with one key. Take it from the ring for each token, and do not keep it: the next may be another.
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
}

func newSigner(r *Record, m *material, clock app.Clock) *Signer {
	s := &Signer{
		KeyID: r.ID, Algorithm: r.Algorithm, key: m.private, method: m.method, lifetime: r.TokenLifetime, clock: clock,
	}
	s.header = s.encodeHeader(AccessTokenType)
	return s
}

// encodeHeader writes the JOSE header. The algorithm and the id need no escaping.
func (s *Signer) encodeHeader(typ string) string {
	header := `{"alg":"` + s.Algorithm + `","kid":"` + s.KeyID + `","typ":` + strconv.Quote(typ) + `}`
	return base64.RawURLEncoding.EncodeToString([]byte(header))
}

// Signer returns the key that signs now. It returns [ErrUnavailable] when the store could not be read for 30 s:
// another process may have rotated since, and the key be published no more when the token expires.
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

// Sign makes a compact JWS (RFC 7515) of claims, a JSON object whose `exp` is expires (Unix seconds), with the key that
// signs now. typ is the header's media type without "application/", in ASCII. It returns [ErrTokenLifetime] when expires
// is later than [Config].TokenLifetime from now, since the key would be published no more while the token is valid, and
// [ErrUnavailable].
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
		return "", fmt.Errorf("%w: later than %s from now", ErrTokenLifetime, s.lifetime)
	}
	header := s.header
	if typ != AccessTokenType {
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

// maxEncodedSignature fits every signature but those of ML-DSA, for which the buffer grows.
const maxEncodedSignature = 350
