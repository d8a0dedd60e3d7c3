package token

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/store"
)

// ErrRefreshInvalid is returned for a text that is not a refresh token of this issuer.
var ErrRefreshInvalid = errors.New("not a refresh token of this issuer")

// ErrRefreshExpired is returned for a refresh token that has expired.
var ErrRefreshExpired = errors.New("refresh expired")

const (
	refreshTokenType = "refresh"
	// maxRefreshTokenSize is the maximum size of a refresh token in bytes; usual ones have about 400.
	maxRefreshTokenSize = 4096
)

// refreshTokenHeader is the header of every refresh token: a JWT that no published key verifies, with a `typ` that no resource
// server accepts.
var refreshTokenHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"rt+jwt"}`))

var strictBase64 = base64.RawURLEncoding.Strict()

// Refresh are the claims of a refresh token.
type Refresh struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	SessionID string `json:"sid"`
	Counter   uint64 `json:"cnt"`
	Type      string `json:"type"`
	Kind      string `json:"knd"`
	Algorithm string `json:"alg,omitempty"`
	WalletID  string `json:"wid,omitempty"`
	Account   string `json:"acc,omitempty"`
	// KeyThumbprint is that of the key to which the session is bound.
	KeyThumbprint string `json:"jkt,omitempty"`
	Address       string `json:"adr,omitempty"`
	Wallet        string `json:"wkd,omitempty"`
	IssuedAt      int64  `json:"iat"`
	ExpiresAt     int64  `json:"exp"`
	Grant
}

// Grant is what a user allowed an OAuth client. It is in every refresh token of the session and never changes. For a sign-in
// without OAuth it is empty.
type Grant struct {
	ClientID  string   `json:"cid,omitempty"`
	Scope     string   `json:"scp,omitempty"`
	Resources []string `json:"res,omitempty"`
	AuthTime  int64    `json:"aut,omitzero"` // when the user authenticated, Unix seconds
}

// Of returns the subject of the session, without reading its row.
func (c Refresh) Of() store.Subject {
	return store.Subject{
		ID: c.Subject, Kind: c.Kind, Algorithm: c.Algorithm, WalletID: c.WalletID, Account: c.Account, Address: c.Address, WalletKind: c.Wallet,
	}
}

// RefreshCodec encodes and decodes refresh tokens. A token depends only on its session's row and the grant: the same row gives the
// same bytes, so that the retry of a request gets the same token as the lost reply.
type RefreshCodec struct {
	issuer string
	macs   *mac.MACs
}

// NewRefreshCodec returns the codec of an issuer. key returns the secret key, 32 bytes; it is called for every use.
func NewRefreshCodec(issuer string, key func() []byte) RefreshCodec {
	return RefreshCodec{issuer, mac.New(key)}
}

// Encode returns the refresh token of a session with its grant.
func (c RefreshCodec) Encode(s store.Session, granted Grant) (string, error) {
	claims, err := json.Marshal(Refresh{
		Issuer: c.issuer, Subject: s.Subject.ID, SessionID: s.ID, Counter: s.Counter, Type: refreshTokenType,
		Kind: s.Subject.Kind, Algorithm: s.Subject.Algorithm, WalletID: s.Subject.WalletID, Account: s.Subject.Account, KeyThumbprint: s.KeyThumbprint,
		Address: s.Subject.Address, Wallet: s.Subject.WalletKind,
		IssuedAt: s.RotatedAt / 1000, ExpiresAt: s.ExpiresAt / 1000, Grant: granted,
	})
	if err != nil {
		return "", err
	}
	token := make([]byte, 0, 512)
	token = append(token, refreshTokenHeader...)
	token = append(token, '.')
	token = base64.RawURLEncoding.AppendEncode(token, claims)
	sum := c.macs.Of(token, "")
	token = append(token, '.')
	return string(base64.RawURLEncoding.AppendEncode(token, sum[:])), nil
}

// Decode verifies a token and returns its claims. The errors are ErrRefreshInvalid and ErrRefreshExpired. With ErrRefreshExpired
// the claims are returned too, because they are authentic.
func (c RefreshCodec) Decode(token string, now time.Time) (Refresh, error) {
	var claims Refresh
	dot := strings.LastIndexByte(token, '.')
	if len(token) > maxRefreshTokenSize || dot < 0 {
		return claims, ErrRefreshInvalid
	}
	signed, signature := token[:dot], token[dot+1:]
	sum, err := strictBase64.DecodeString(signature)
	genuine := c.macs.Of(nil, signed)
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
		return Refresh{}, ErrRefreshInvalid
	}
	if now.Unix() >= claims.ExpiresAt {
		return claims, ErrRefreshExpired
	}
	return claims, nil
}
