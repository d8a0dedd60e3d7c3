package serverauth

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/picoauth/picoauth/app"
)

// ErrRefreshInvalid is returned for what is no refresh token of this issuer.
var ErrRefreshInvalid = errors.New("not a refresh token of this issuer")

// ErrRefreshExpired is returned for a refresh token whose time has passed.
var ErrRefreshExpired = errors.New("refresh expired")

const (
	refreshTokenType = "refresh"
	// maxRefreshTokenSize bounds a refresh token in bytes; ours are about 400.
	maxRefreshTokenSize = 4096
)

// refreshTokenHeader is the one header of every refresh token: a JWT that no key of a JWKS verifies and whose `typ`
// no resource server accepts.
var refreshTokenHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"rt+jwt"}`))

var strictBase64 = base64.RawURLEncoding.Strict()

type refreshClaims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	SessionID string `json:"sid"`
	Counter   uint64 `json:"cnt"`
	Type      string `json:"type"`
	Kind      string `json:"knd"`
	Algorithm string `json:"alg,omitempty"`
	WalletID  string `json:"wid,omitempty"`
	Account   string `json:"acc,omitempty"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
}

// subject is whom the session belongs to: known before its row is touched.
func (c refreshClaims) subject() Subject {
	return Subject{ID: c.Subject, Kind: c.Kind, Algorithm: c.Algorithm, WalletID: c.WalletID, Account: c.Account}
}

// refreshCodec makes and reads refresh tokens. A token is a function of its session's row: the same row gives the
// same bytes, so that a retry gets what the lost reply held.
type refreshCodec struct {
	issuer string
	macs   *macs
}

func newRefreshCodec(issuer string, key []byte) refreshCodec {
	return refreshCodec{issuer, newMACs(key)}
}

func (c refreshCodec) encode(s Session) (string, error) {
	claims, err := app.AppendJSON(make([]byte, 0, 384), refreshClaims{
		Issuer: c.issuer, Subject: s.Subject.ID, SessionID: s.ID, Counter: s.Counter, Type: refreshTokenType,
		Kind: s.Subject.Kind, Algorithm: s.Subject.Algorithm, WalletID: s.Subject.WalletID, Account: s.Subject.Account,
		IssuedAt: s.RotatedAt / 1000, ExpiresAt: s.ExpiresAt / 1000,
	})
	if err != nil {
		return "", err
	}
	token := make([]byte, 0, 512)
	token = append(token, refreshTokenHeader...)
	token = append(token, '.')
	token = base64.RawURLEncoding.AppendEncode(token, claims)
	sum := c.macs.of(token, "")
	token = append(token, '.')
	return string(base64.RawURLEncoding.AppendEncode(token, sum[:])), nil
}

// decode verifies a token and returns its claims. With ErrRefreshExpired the claims are returned too: they are
// genuine, only late.
func (c refreshCodec) decode(token string, now time.Time) (refreshClaims, error) {
	var claims refreshClaims
	if len(token) > maxRefreshTokenSize {
		return claims, ErrRefreshInvalid
	}
	signed, signature, ok := cutLast(token, '.')
	if !ok {
		return claims, ErrRefreshInvalid
	}
	sum, err := strictBase64.DecodeString(signature)
	genuine := c.macs.of(nil, signed)
	if err != nil || !hmac.Equal(sum, genuine[:]) {
		return claims, ErrRefreshInvalid
	}
	payload, ok := strings.CutPrefix(signed, refreshTokenHeader+".")
	if !ok {
		return claims, ErrRefreshInvalid
	}
	text, err := strictBase64.DecodeString(payload)
	if err != nil {
		return claims, ErrRefreshInvalid
	}
	if err := app.DecodeObject(text, &claims); err != nil || claims.Type != refreshTokenType {
		return refreshClaims{}, ErrRefreshInvalid
	}
	if now.Unix() >= claims.ExpiresAt {
		return claims, ErrRefreshExpired
	}
	return claims, nil
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
