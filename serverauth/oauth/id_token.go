package oauth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
)

// idTokenType is the `typ` of an ID token, with which no resource server accepts it as an access token.
const idTokenType = "JWT"

// idClaims are the claims of an ID token (OpenID Connect Core, section 2).
type idClaims struct {
	Issuer          string   `json:"iss"`
	Audience        string   `json:"aud"`
	ExpiresAt       int64    `json:"exp"`
	IssuedAt        int64    `json:"iat"`
	AuthTime        int64    `json:"auth_time"`
	Nonce           string   `json:"nonce,omitempty"`
	AccessTokenHash string   `json:"at_hash"`
	SessionID       string   `json:"sid"`
	Methods         []string `json:"amr"`
	person
}

// person is what a client gets to know about a person, depending on the scope.
type person struct {
	Subject           string   `json:"sub"`
	Name              string   `json:"name,omitempty"`
	PreferredUsername string   `json:"preferred_username,omitempty"`
	Email             string   `json:"email,omitempty"`
	Groups            []string `json:"groups,omitempty"`
	WalletAddress     string   `json:"wallet_address,omitempty"`
	Account           string   `json:"account,omitempty"`
}

// personOf returns the claims that a scope includes.
func personOf(subject store.Subject, of claims.Claims, scope string) person {
	p := person{Subject: subject.ID}
	if has(scope, scopeProfile) {
		p.Name, p.PreferredUsername = of.Name, preferredUsername(subject, of)
	}
	if has(scope, scopeEmail) {
		p.Email = of.Email
	}
	if has(scope, scopeGroups) {
		p.Groups = of.Groups
	}
	if has(scope, scopeWallet) {
		p.WalletAddress, p.Account = subject.WalletAddress(), subject.Account
	}
	return p
}

// preferredUsername returns what the app's claims say, else the name, else the subject.
func preferredUsername(subject store.Subject, of claims.Claims) string {
	own, _ := of.Extra["preferred_username"].(string)
	return cmp.Or(own, of.Name, subject.ID)
}

// idToken returns the ID token that belongs to an access token.
func (s *Server) idToken(ctx context.Context, begun session.Begun, access session.Access, nonce string) (string, error) {
	subject, expires := begun.Session.Subject, begun.IssuedAt+begun.ExpiresIn
	return s.tokens.SignAs(ctx, idTokenType, expires, func(algorithm string) ([]byte, error) {
		return json.Marshal(idClaims{
			Issuer: s.issuer, Audience: begun.Session.ClientID, IssuedAt: begun.IssuedAt, ExpiresAt: expires,
			AuthTime: begun.Grant.AuthTime, Nonce: nonce, AccessTokenHash: accessTokenHash(algorithm, begun.AccessToken),
			SessionID: begun.Session.ID, Methods: []string{methodOf(subject)}, person: personOf(subject, begun.Claims, access.Scope),
		})
	})
}

// methodOf returns how the person authenticated (RFC 8176): by proof of possession of a key, or by password.
func methodOf(subject store.Subject) string {
	if subject.Kind == store.KindAdmin {
		return "pwd"
	}
	return "pop"
}

// accessTokenHash is the left half of the access token's hash (OpenID Connect Core, section 3.1.3.6), with the signature's hash
// function: SHA-512 for EdDSA, and for ML-DSA, which names none.
func accessTokenHash(algorithm, accessToken string) string {
	if strings.HasSuffix(algorithm, "256") {
		sum := sha256.Sum256([]byte(accessToken))
		return base64url.EncodeToString(sum[:sha256.Size/2])
	}
	sum := sha512.Sum512([]byte(accessToken))
	return base64url.EncodeToString(sum[:sha512.Size/2])
}

// has reports whether a scope, separated by spaces, contains a name.
func has(scope, name string) bool {
	for one := range strings.SplitSeq(scope, " ") {
		if one == name {
			return true
		}
	}
	return false
}
