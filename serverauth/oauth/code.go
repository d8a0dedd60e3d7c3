package oauth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	codeTTL = time.Minute
	// maxCode is the maximum length of a code in bytes.
	maxCode = 8 << 10
)

// code is the content of an authorization code. The code itself contains it, with a MAC, so that an unused code needs no memory.
// The store of challenges makes sure that it is used only once.
type code struct {
	Spend     string        `json:"spend"`   // nonce of the store of challenges
	Binding   string        `json:"binding"` // of client, redirect and challenge, see binding
	ClientID  string        `json:"client_id"`
	SID       string        `json:"sid"` // of the session that the code begins
	Subject   store.Subject `json:"sub"`
	Scope     string        `json:"scope"`
	Resources []string      `json:"resource"`
	Nonce     string        `json:"nonce"`
	RequestID string        `json:"request_id"`
	ProofOf   string        `json:"proof_of"` // ID of the session with a contract wallet's signature
	// KeyThumbprint is that of the key whose DPoP proof the token request needs (RFC 9449, section 10); empty: none.
	KeyThumbprint string `json:"dpop_jkt"`
	AuthTime      int64  `json:"auth_time"` // Unix seconds
	IssuedAt      int64  `json:"iat"`       // Unix milliseconds
}

// codeOwner is the owner of the nonces of codes, which belong to no wallet.
var codeOwner = store.NewPurpose("authorization code").Owner("")

// binding is the digest of what a token request must repeat to use a code.
func binding(clientID, redirectURI, challenge string) string {
	return digest(clientID, redirectURI, challenge)
}

// errAnotherPerson is for a request that asks for another person than the one who signed in (OpenID Connect Core, section 3.1.2.1).
var errAnotherPerson = &Error{Code: "login_required", Description: "the person who signed in is not the subject of id_token_hint"}

// issue returns the code for a request that was allowed. The error is errAnotherPerson if the request is for another person.
func (s *Server) issue(c echo.Context, r *request, b *browser, requestID string) (string, error) {
	if r.Hint != "" && r.Hint != b.session.Subject.ID {
		return "", errAnotherPerson
	}
	spend, err := s.challenges.Create(c.Request().Context(), codeOwner, codeTTL)
	if err != nil {
		return "", err
	}
	made := s.codeOf(r, b, requestID)
	made.Spend = spend
	text, _, err := s.codes.seal(made)
	return text, err
}

// codeOf returns the code of an allowed request.
func (s *Server) codeOf(r *request, b *browser, requestID string) code {
	return code{
		Binding: binding(r.ClientID, r.RedirectURI, r.Challenge), ClientID: r.ClientID, SID: s.clientSession(b.session.ID),
		Subject: b.session.Subject, Scope: joined(r.Scope), Resources: r.Resources, Nonce: r.Nonce, AuthTime: b.authTime(),
		RequestID: requestID, ProofOf: b.session.ID, KeyThumbprint: r.KeyThumbprint, IssuedAt: max(s.now().UnixMilli(), b.session.StartedAt),
	}
}

// spend marks a code as used. It reports false for a code that was used before or is too old.
func (s *Server) spend(ctx context.Context, k code) (bool, error) {
	return s.challenges.Validate(ctx, codeOwner, k.Spend)
}

// Sizes of the sid of a client's session in bytes: random bytes, then a MAC over them and the browser's session. With the MAC the
// server can tell at a logout whether both belong together.
const (
	sidRandom = 10
	sidSize   = 16
)

// clientSession returns a new sid for a client's session that begins from a browser's session.
func (s *Server) clientSession(browserSID string) string {
	var sid [sidSize]byte
	rand.Read(sid[:]) // never fails: crypto/rand ends the program instead
	if browserSID != "" {
		copy(sid[sidRandom:], s.sidMark(sid[:sidRandom], browserSID))
	}
	return base64url.EncodeToString(sid[:])
}

func (s *Server) sidMark(random []byte, browserSID string) []byte {
	sum := s.sids.Of([]byte(digest(string(random), browserSID)))
	return sum[:sidSize-sidRandom]
}

// isOfBrowser reports whether a client's session began from a browser's.
func (s *Server) isOfBrowser(sid, browserSID string) bool {
	raw, err := base64url.DecodeString(sid)
	return err == nil && len(raw) == sidSize && browserSID != "" && hmac.Equal(raw[sidRandom:], s.sidMark(raw[:sidRandom], browserSID))
}

// challengeOf returns the code_challenge of a code_verifier (RFC 7636, section 4.2), or an empty text if the code_verifier is
// invalid.
func challengeOf(verifier string) string {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	if len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, unreserved) != "" {
		return ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64url.EncodeToString(sum[:])
}
