package token

import (
	"cmp"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Request is the content of an access token that is to be issued. Only Subject is required.
type Request struct {
	Subject   string        // `sub`
	Role      string        // `role`; empty: left out
	Groups    []string      // `groups`
	Scope     string        // `scope`
	Email     string        // `email`
	Name      string        // `name`
	SessionID string        // `sid`
	TTL       time.Duration // 0: access_token_expire_minutes
	IssuedAt  time.Time     // zero: now. A flow sets the time at which it began.
	Until     time.Time     // the latest time of expiry; zero: the TTL alone applies

	Kind    string // in the mint audit: KindWallet, KindAdmin, KindFleet, or a name that the app chose
	AgentID string // `agent_id`, of fleet tokens; with it the SessionID is `session_id` as well
	// Workload is who the subject is at the platform on which it runs. The mint audit has it as the agent if AgentID
	// is empty.
	Workload string
	// ClientID, Audience and AuthTime are `client_id`, `aud` and `auth_time` (Unix seconds) of an OAuth client's token. Empty: those
	// of the server, and no auth_time.
	ClientID string
	Audience []string
	AuthTime int64
	// RequestID is the id of the request in the mint audit; empty: that of the HTTP request.
	RequestID string
	Wallet    store.Subject // of wallets: `algorithm`, `wallet_address`, `wallet_id`, `wallet_kind`, `account`

	// KeyThumbprint binds the token to a key (`cnf.jkt`, RFC 9449, section 6.1), 43 characters.
	KeyThumbprint string
	// Actor is who acts for the subject (`act`, RFC 8693, section 4.1); nil: nobody.
	Actor *clientauth.Actor

	// Claims about an agent's task. SpendLimit is a number or a text.
	Scopes         []string // `scopes`, a list beside the text `scope`
	TaskType       string   // `task_type`
	UserID         string   // `user_id`: on whose behalf
	OrganisationID string   // `org_id`
	ConversationID string   // `conversation_id`
	TaskID         string   // `task_id`
	SpendLimit     any      // `spend_limit`
	ParentChain    []string // `parent_chain`: the agents that this one acts for

	// Extra are additional claims; a reserved name is an error.
	Extra map[string]any
}

// AccessClaims are the JSON claims of an access token.
type AccessClaims struct {
	Issuer        string   `json:"iss"`
	Subject       string   `json:"sub"`
	Audience      audience `json:"aud"`
	ExpiresAt     int64    `json:"exp"`
	NotBefore     int64    `json:"nbf"`
	IssuedAt      int64    `json:"iat"`
	ID            string   `json:"jti"`
	ClientID      string   `json:"client_id"`
	SessionID     string   `json:"sid,omitempty"`
	AuthTime      int64    `json:"auth_time,omitzero"`
	Role          string   `json:"role,omitempty"`
	Groups        []string `json:"groups,omitempty"`
	Scope         string   `json:"scope,omitempty"`
	Email         string   `json:"email,omitempty"`
	Name          string   `json:"name,omitempty"`
	FleetSession  string   `json:"session_id,omitempty"`
	AgentID       string   `json:"agent_id,omitempty"`
	Scopes        []string `json:"scopes,omitempty"`
	TaskType      string   `json:"task_type,omitempty"`
	UserID        string   `json:"user_id,omitempty"`
	OrgID         string   `json:"org_id,omitempty"`
	Conversation  string   `json:"conversation_id,omitempty"`
	TaskID        string   `json:"task_id,omitempty"`
	SpendLimit    Scalar   `json:"spend_limit,omitzero"`
	ParentChain   []string `json:"parent_chain,omitempty"`
	Algorithm     string   `json:"algorithm,omitempty"`
	WalletAddress string   `json:"wallet_address,omitempty"`
	WalletID      string   `json:"wallet_id,omitempty"`
	WalletKind    string   `json:"wallet_kind,omitempty"`
	Account       string   `json:"account,omitempty"`

	Confirmation *Confirmation     `json:"cnf,omitempty"`
	Actor        *clientauth.Actor `json:"act,omitempty"`

	Free map[string]any `json:",embed"`
}

// Confirmation is the key to which a token is bound (RFC 7800).
type Confirmation struct {
	KeyThumbprint string `json:"jkt"`
}

func confirmationOf(thumbprint string) *Confirmation {
	if thumbprint == "" {
		return nil
	}
	return &Confirmation{thumbprint}
}

// TypeOf returns the `token_type` of a token that is bound to the key with the thumbprint; empty: not bound.
func TypeOf(thumbprint string) string {
	if thumbprint == "" {
		return "Bearer"
	}
	return "DPoP"
}

// claims returns the claims of a token, also encoded. It refuses additional claims with a reserved name.
func (i *Issuer) claims(r Request) (AccessClaims, []byte, error) {
	spendLimit, err := scalarOf(r.SpendLimit)
	if err != nil {
		return AccessClaims{}, nil, fmt.Errorf("token: spend limit: %w", err)
	}
	if r.IssuedAt.IsZero() {
		r.IssuedAt = i.config.Clock()
	}
	access := AccessClaims{
		Issuer:        i.config.Issuer,
		Subject:       r.Subject,
		Audience:      i.audience(r.Audience),
		ExpiresAt:     r.IssuedAt.Add(cmp.Or(r.TTL, i.config.Life)).Unix(),
		NotBefore:     r.IssuedAt.Unix(),
		IssuedAt:      r.IssuedAt.Unix(),
		ID:            RandomID(),
		ClientID:      cmp.Or(r.ClientID, i.config.ClientID),
		SessionID:     r.SessionID,
		AuthTime:      r.AuthTime,
		Confirmation:  confirmationOf(r.KeyThumbprint),
		Actor:         r.Actor,
		Role:          r.Role,
		Groups:        r.Groups,
		Scope:         r.Scope,
		Email:         r.Email,
		Name:          r.Name,
		AgentID:       r.AgentID,
		Scopes:        r.Scopes,
		TaskType:      r.TaskType,
		UserID:        r.UserID,
		OrgID:         r.OrganisationID,
		Conversation:  r.ConversationID,
		TaskID:        r.TaskID,
		SpendLimit:    spendLimit,
		ParentChain:   r.ParentChain,
		Algorithm:     r.Wallet.Algorithm,
		WalletAddress: r.Wallet.WalletAddress(),
		WalletID:      r.Wallet.WalletID,
		WalletKind:    r.Wallet.ClaimedKind(),
		Account:       r.Wallet.Account,
		Free:          r.Extra,
	}
	if !r.Until.IsZero() {
		access.ExpiresAt = min(access.ExpiresAt, r.Until.Unix())
	}
	if r.AgentID != "" {
		access.FleetSession = r.SessionID
	}
	if err := claims.CheckFree(access.Free); err != nil {
		return AccessClaims{}, nil, err
	}
	payload, err := json.Marshal(access)
	if err != nil {
		return AccessClaims{}, nil, fmt.Errorf("token: claims: %w", err)
	}
	return access, payload, nil
}

// audience is `aud`: a text for one, a list for several (RFC 7519, section 4.1.3).
type audience []string

// MarshalJSONTo implements json.MarshalerTo.
func (a audience) MarshalJSONTo(out *jsontext.Encoder) error {
	if len(a) == 1 {
		return out.WriteToken(jsontext.String(a[0]))
	}
	return json.MarshalEncode(out, []string(a))
}

func (i *Issuer) audience(asked []string) audience {
	if len(asked) == 0 {
		return audience{i.config.Audience}
	}
	return asked
}
