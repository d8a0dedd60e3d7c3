package testutil

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/picoauth/picoauth/clientauth"
)

// Authenticated returns a context as it is behind the middleware of clientauth, for the test of a handler: it comes from
// caller. What caller leaves out is as in the zero [Token]; Role and Roles follow from each other; and Claims are those
// of a token that says all this, with caller.Claims over them. The types in Claims are those of a decoded token: each
// number is a float64. It panics if caller.Claims cannot be JSON.
//
//	request = request.WithContext(testutil.Authenticated(request.Context(), clientauth.SecurityContext{Role: "admin"}))
func Authenticated(ctx context.Context, caller clientauth.SecurityContext) context.Context {
	caller.Subject = cmp.Or(caller.Subject, defaultSubject)
	caller.Issuer = cmp.Or(caller.Issuer, "https://auth.example.com")
	if len(caller.Audience) == 0 {
		caller.Audience = []string{defaultAudience}
	}
	caller.Role, caller.Roles = roles(caller.Role, caller.Roles)
	if caller.IssuedAt.IsZero() {
		caller.IssuedAt = time.Now()
	}
	if caller.ExpiresAt.IsZero() {
		caller.ExpiresAt = caller.IssuedAt.Add(defaultLife)
	}
	caller.IssuedAt, caller.ExpiresAt = wholeSecond(caller.IssuedAt), wholeSecond(caller.ExpiresAt)
	caller.Claims = claimsOf(callerClaims(caller), caller.Claims)
	return clientauth.NewContext(ctx, &caller)
}

// AuthenticatedAgent is [Authenticated] for the agent that a request is made by; a caller that ctx carries stays. An
// agent without AgentID is "agent".
func AuthenticatedAgent(ctx context.Context, agent clientauth.AgentContext) context.Context {
	agent.AgentID = cmp.Or(agent.AgentID, "agent")
	agent.Subject = cmp.Or(agent.Subject, agent.AgentID)
	agent.Claims = claimsOf(agentClaims(agent), agent.Claims)
	return clientauth.NewAgentContext(ctx, &agent)
}

// roles returns the first role and the list of which it is the first.
func roles(role string, all []string) (string, []string) {
	switch {
	case role == "" && len(all) == 0:
		return defaultRole, []string{defaultRole}
	case role == "":
		return all[0], all
	case len(all) > 0 && all[0] == role:
		return role, all
	}
	rest := slices.DeleteFunc(slices.Clone(all), func(other string) bool { return other == role })
	return role, append([]string{role}, rest...)
}

func callerClaims(c clientauth.SecurityContext) map[string]any {
	claims := map[string]any{
		"sub": c.Subject, "iss": c.Issuer, "aud": c.Audience, "role": c.Role, "sid": c.SessionID, "jti": c.TokenID,
		"client_id": c.ClientID, "wallet_address": c.WalletAddress, "wallet_id": c.WalletID, "wallet_kind": c.WalletKind, "account": c.Account,
		"algorithm": c.Algorithm, "scope": strings.Join(c.Scopes, " "), "groups": c.Groups,
		"iat": c.IssuedAt.Unix(), "exp": c.ExpiresAt.Unix(),
	}
	if len(c.Roles) > 1 {
		claims["roles"] = c.Roles
	}
	return claims
}

func agentClaims(a clientauth.AgentContext) map[string]any {
	return map[string]any{
		"sub": a.Subject, "agent_id": a.AgentID, "task_type": a.TaskType, "user_id": a.UserID, "session_id": a.SessionID,
		"conversation_id": a.ConversationID, "task_id": a.TaskID, "org_id": a.OrganisationID, "role": a.Role,
		"scopes": a.Scopes, "spend_limit": a.SpendLimit, "parent_chain": a.ParentChain,
	}
}

// claimsOf returns what is not empty of claims, with own over it, as a decoder would.
func claimsOf(claims, own map[string]any) (decoded map[string]any) {
	maps.DeleteFunc(claims, func(_ string, value any) bool {
		list, isList := value.([]string)
		return value == "" || isList && len(list) == 0
	})
	maps.Copy(claims, own)
	text, err := json.Marshal(claims)
	if err == nil {
		err = json.Unmarshal(text, &decoded)
	}
	if err != nil {
		panic(fmt.Sprintf("testutil: claims that no token can hold: %v", err))
	}
	return decoded
}

func wholeSecond(t time.Time) time.Time { return time.Unix(t.Unix(), 0).UTC() }
