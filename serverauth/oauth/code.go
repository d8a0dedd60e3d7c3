package oauth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	codeTTL = time.Minute
	// maxCode bounds a code in bytes.
	maxCode = 8 << 10
)

// code is what an authorization code stands for. It is in the code itself, authenticated, so that one that nobody
// exchanges costs no memory; that it is exchanged once is for the store of challenges to say, which remembers what was spent.
type code struct {
	Spend     string        `json:"spend"`   // nonce of the store of challenges
	Binding   string        `json:"binding"` // of client, redirect and challenge, see binding
	ClientID  string        `json:"client_id"`
	SID       string        `json:"sid"` // of the session that it begins, if it does
	Subject   store.Subject `json:"sub"`
	Scope     string        `json:"scope"`
	Resources []string      `json:"resource"`
	Nonce     string        `json:"nonce"`
	RequestID string        `json:"request_id"`
	ProofOf   string        `json:"proof_of"` // the session that has the proof of a contract wallet
	// KeyThumbprint is that of the key that must prove itself at the exchange (RFC 9449, section 10); empty: none.
	KeyThumbprint string `json:"dpop_jkt"`
	AuthTime      int64  `json:"auth_time"` // Unix seconds
	IssuedAt      int64  `json:"iat"`       // Unix milliseconds
}

// codeOwner is whom the nonces of codes belong to: to no wallet.
var codeOwner = store.NewPurpose("authorization code").Owner("")

// binding is what whoever exchanges a code must show again.
func binding(clientID, redirectURI, challenge string) string {
	return digest(clientID, redirectURI, challenge)
}

// errAnotherPerson is for a client that wants another person than the one who signed in (OpenID Connect Core, section 3.1.2.1).
var errAnotherPerson = &Error{Code: "login_required", Description: "somebody else than the subject of id_token_hint signed in"}

// issue makes the code of a request that is allowed. Its error is errAnotherPerson where the request is about somebody else.
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

// codeOf is what the person allowed whom.
func (s *Server) codeOf(r *request, b *browser, requestID string) code {
	return code{
		Binding: binding(r.ClientID, r.RedirectURI, r.Challenge), ClientID: r.ClientID, SID: s.clientSession(b.session.ID),
		Subject: b.session.Subject, Scope: joined(r.Scope), Resources: r.Resources, Nonce: r.Nonce, AuthTime: b.authTime(),
		RequestID: requestID, ProofOf: b.session.ID, KeyThumbprint: r.KeyThumbprint, IssuedAt: max(s.now().UnixMilli(), b.session.StartedAt),
	}
}

// spend spends a code. It reports false for one that was spent, or is too old.
func (s *Server) spend(ctx context.Context, k code) (bool, error) {
	return s.challenges.Validate(ctx, codeOwner, k.Spend)
}

// The bytes of the sid of a client's session: random ones, and a MAC over them and the session of the browser by which the
// server knows, when somebody is logged out, that both belong together.
const (
	sidRandom = 10
	sidSize   = 16
)

// clientSession returns the sid of a new session of a client that begins from a browser's session.
func (s *Server) clientSession(browserSID string) string {
	var sid [sidSize]byte
	rand.Read(sid[:sidRandom]) // never fails: crypto/rand ends the program instead
	if browserSID == "" {
		rand.Read(sid[sidRandom:])
		return base64url.EncodeToString(sid[:])
	}
	copy(sid[sidRandom:], s.sidMark(sid[:sidRandom], browserSID))
	return base64url.EncodeToString(sid[:])
}

func (s *Server) sidMark(random []byte, browserSID string) []byte {
	sum := s.sids.Of([]byte(digest(string(random), browserSID)))
	return sum[:sidSize-sidRandom]
}

// isOfBrowser tells whether a client's session began from a browser's.
func (s *Server) isOfBrowser(sid, browserSID string) bool {
	raw, err := base64url.DecodeString(sid)
	return err == nil && len(raw) == sidSize && browserSID != "" && hmac.Equal(raw[sidRandom:], s.sidMark(raw[:sidRandom], browserSID))
}

// challengeOf is the code_challenge of a code_verifier (RFC 7636, section 4.2), and empty for what is no verifier.
func challengeOf(verifier string) string {
	if len(verifier) < 43 || len(verifier) > 128 {
		return ""
	}
	for _, char := range []byte(verifier) {
		if !(char >= 'A' && char <= 'Z' || char >= 'a' && char <= 'z' || char >= '0' && char <= '9' || char == '-' || char == '.' || char == '_' || char == '~') {
			return ""
		}
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64url.EncodeToString(sum[:])
}
