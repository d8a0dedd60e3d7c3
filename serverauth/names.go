package serverauth

import (
	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// Aliases, so that apps need only this package.
type (
	// ChallengeStore issues the nonces that wallets sign, and accepts each once. Replace it with fx.Decorate.
	ChallengeStore = store.ChallengeStore
	// InMemoryChallengeStore is the ChallengeStore of a single process.
	InMemoryChallengeStore = store.InMemoryChallengeStore
	// SessionStore stores sessions. Replace it with fx.Decorate.
	SessionStore = store.SessionStore
	// Subject is the subject for which a token is to be issued. A ClaimsProvider gets it.
	Subject = store.Subject
	// ClaimsProvider returns the claims of a subject, or refuses it. Replace it with fx.Decorate.
	ClaimsProvider = claims.Provider
	// ClaimsProviderFunc is a function that is a ClaimsProvider.
	ClaimsProviderFunc = claims.ProviderFunc
	// Claims is what a ClaimsProvider returns.
	Claims = claims.Claims
	// SubjectEntry is the entry of a subject in the settings.
	SubjectEntry = claims.Entry
	// TokenIssuer issues access tokens and publishes the keys that verify them.
	TokenIssuer = token.Issuer
	// AccessTokenRequest is the content of an access token that is to be issued.
	AccessTokenRequest = token.Request
	// Tokens is the token response of a sign-in, a login and a refresh.
	Tokens = session.Tokens
	// JWKS is a JSON Web Key Set (RFC 7517, section 5) of public keys.
	JWKS = jose.Set
)

// ErrSubjectRefused is the error with which a ClaimsProvider refuses a subject. It may be wrapped.
var ErrSubjectRefused = claims.ErrSubjectRefused

// Kinds of subject.
const (
	KindWallet = store.KindWallet
	KindAdmin  = store.KindAdmin
	KindFleet  = store.KindFleet
)

// NewInMemoryChallengeStore returns an empty store. clock is optional; without it the store uses time.Now. The error is
// always nil.
func NewInMemoryChallengeStore(_ ServerAuthSettings, clock ...app.Clock) (*InMemoryChallengeStore, error) {
	return store.NewMemoryChallenges(clock...), nil
}
