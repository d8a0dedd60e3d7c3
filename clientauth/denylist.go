package clientauth

import "context"

// Denylist says which tokens were revoked before they expired. It is safe for concurrent use and is asked on every
// request, so it must be quick. An error means that it cannot be said: it is an [ErrDenylistUnavailable] and the token
// is not accepted.
type Denylist interface {
	Denied(ctx context.Context, token TokenRef) (bool, error)
}

// TokenRef is what a denylist knows a token by. Empty fields are claims that the token does not have.
type TokenRef struct {
	// ID is the claim jti.
	ID string
	// SessionID is the claim sid.
	SessionID string
	// Subject is the claim sub.
	Subject string
	// WalletID is the claim wallet_id; an item for a subject hits it too.
	WalletID string
	// KeyID is the header's kid, or the id of the key that verified the token.
	KeyID string
	// IssuedAt is the claim iat in Unix seconds; 0 when the token has none, which is before every revocation.
	IssuedAt int64
}

// Revocation is one item of a denylist, as the endpoint /revoked-jtis sends it. Of JTI, SID, Sub and KID it has what it
// hits. Times are Unix seconds.
type Revocation struct {
	// JTI hits one token.
	JTI string `json:"jti,omitempty"`
	// SID hits every token of a session.
	SID string `json:"sid,omitempty"`
	// Sub hits the tokens of a subject, or of one with this wallet_id, that were issued not later than RevokedAt.
	Sub string `json:"sub,omitempty"`
	// KID hits every token that the key signed.
	KID string `json:"kid,omitempty"`
	// RevokedAt is when it was revoked.
	RevokedAt int64 `json:"revoked_at"`
	// Reason is what the operator wrote.
	Reason string `json:"reason"`
	// RevokedBy is the subject of the operator.
	RevokedBy string `json:"revoked_by"`
	// Exp is when the item can be forgotten, since everything it hits has expired; 0 is never.
	Exp int64 `json:"exp"`
}
