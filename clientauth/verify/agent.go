package verify

import "context"

// AgentHeader is the header with a second token: that of the agent which acts, beside the caller's. Its value is "Bearer" and a
// token of a trusted issuer.
const AgentHeader = "X-Agent-Authorization"

// AgentContext is the agent that makes a request, from its validated token. All requests with the same token share it, so it
// must not be changed. Fields of absent claims are empty.
//
// For a token with the claim act, Subject and AgentID are the actor's sub and client_id, UserID is the subject, Scopes are
// those of the token, Role is empty, and ParentChain are the previous actors, the latest first.
type AgentContext struct {
	// Subject is the claim sub, or that of [TrustedIssuer].SubjectClaim.
	Subject string
	// AgentID is the claim agent_id.
	AgentID string
	// TaskType is the claim task_type.
	TaskType string
	// UserID is the claim user_id: the user on whose behalf the agent acts.
	UserID string
	// SessionID is the claim session_id, or else sid.
	SessionID string
	// ConversationID is the claim conversation_id.
	ConversationID string
	// TaskID is the claim task_id.
	TaskID string
	// OrganisationID is the claim org_id.
	OrganisationID string
	// Role is the claim role, or the first role at the issuer's RolePath.
	Role string
	// Scopes is the claim scopes, or else scope; with the issuer's ScopePath the claim there.
	Scopes []string
	// SpendLimit is the claim spend_limit: a text as it is, or a number in its shortest decimal form.
	SpendLimit string
	// ParentChain is the claim parent_chain: the agents for which this one acts, in the order of the issuer.
	ParentChain []string
	// Claims are all claims, as encoding/json would decode them.
	Claims map[string]any

	isBound bool // to a key, so the token is not a bearer token
}

// HasScope reports whether the agent's scopes cover one of scopes; see [ScopeCovers].
func (a *AgentContext) HasScope(scopes ...string) bool { return coversAny(a.Scopes, scopes) }

// AgentFromContext returns the agent that makes the request: that of the token in [AgentHeader], else the actor in the claim
// act of the caller's token. It returns false if there is none.
func AgentFromContext(ctx context.Context) (*AgentContext, bool) {
	id := identityOf(ctx)
	if id.agent == nil && id.caller != nil {
		id.agent = id.caller.actingAgent()
	}
	return id.agent, id.agent != nil
}

// NewAgentContext returns a context with the agent, for tests of handlers. It keeps the caller of ctx.
func NewAgentContext(ctx context.Context, agent *AgentContext) context.Context {
	id := identityOf(ctx)
	id.agent = agent
	return withIdentity(ctx, id)
}
