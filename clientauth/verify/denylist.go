package verify

import "context"

// Denylist reports which tokens were revoked. It must be safe for concurrent use, and fast, because it is used by every
// request. Denied returns an [ErrDenylistUnavailable] if it does not know; then the token is not accepted.
type Denylist interface {
	Denied(ctx context.Context, token TokenRef) (bool, error)
}

// TokenRef are the identifiers of a token that a denylist checks. Fields of absent claims are empty.
type TokenRef struct {
	// ID is the claim jti.
	ID string
	// SessionID is the claim sid.
	SessionID string
	// Subject is the claim sub.
	Subject string
	// WalletID is the claim wallet_id; items for a subject match it too.
	WalletID string
	// Actors are the claims sub of all actors; items for a subject match them too, and so do items for a session, since the sub of a
	// fleet's agent is its session.
	Actors []string
	// KeyID is the header's kid, or the id of the key that verified the token.
	KeyID string
	// IssuedAt is the claim iat in Unix seconds; 0 if there is none, which counts as before every revocation.
	IssuedAt int64
}

// Revocation is one item of a denylist, as GET /revoked-jtis returns it. Of JTI, SID, Sub and KID those are set that the item
// matches. Times are Unix seconds.
type Revocation struct {
	// JTI matches one token.
	JTI string `json:"jti,omitempty"`
	// SID matches every token of a session, and those with this actor: an agent of a fleet.
	SID string `json:"sid,omitempty"`
	// Sub matches the tokens of a subject, those with this wallet_id, and those with this actor, if they were issued not later than
	// RevokedAt.
	Sub string `json:"sub,omitempty"`
	// KID matches every token that the key signed.
	KID string `json:"kid,omitempty"`
	// RevokedAt is the time of the revocation.
	RevokedAt int64 `json:"revoked_at"`
	// Reason is the text of the operator.
	Reason string `json:"reason"`
	// RevokedBy is the operator's subject.
	RevokedBy string `json:"revoked_by"`
	// Exp is the time at which every token that the item matches has expired, so that the item can be removed; 0: never.
	Exp int64 `json:"exp"`
}
