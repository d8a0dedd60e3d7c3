package clientauth

import "context"

// AgentHeader carries the second token: the agent that acts, beside the service that calls. Its value is
// "Bearer" and a token of a trusted issuer.
const AgentHeader = "X-Agent-Authorization"

// AgentContext is the agent that a request is made by, as its verified token says. It is shared by all requests with
// the same token: read it, never change it. A claim that the token does not have is empty.
type AgentContext struct {
	// Subject is the claim sub.
	Subject string
	// AgentID is the claim agent_id.
	AgentID string
	// TaskType is the claim task_type.
	TaskType string
	// UserID is the claim user_id: on whose behalf.
	UserID string
	// SessionID is the claim session_id, or else sid.
	SessionID string
	// ConversationID is the claim conversation_id.
	ConversationID string
	// TaskID is the claim task_id.
	TaskID string
	// OrganisationID is the claim org_id.
	OrganisationID string
	// Role is the claim role.
	Role string
	// Scopes is the claim scopes, or else scope.
	Scopes []string
	// SpendLimit is the claim spend_limit as it was written: a text, or a number in its shortest form.
	SpendLimit string
	// ParentChain is the claim parent_chain: the agents that this one acts for, as the issuer ordered them.
	ParentChain []string
	// Claims are all claims, as encoding/json would decode them.
	Claims map[string]any
}

// HasScope reports whether the agent's scopes cover one of scopes; see [ScopeCovers].
func (a *AgentContext) HasScope(scopes ...string) bool { return coversAny(a.Scopes, scopes) }

// AgentFromContext returns the agent that the request is made by, and false when it named none.
func AgentFromContext(ctx context.Context) (*AgentContext, bool) {
	agent := identityOf(ctx).agent
	return agent, agent != nil
}

// NewAgentContext returns a context whose [AgentFromContext] is agent, for tests of handlers. A caller that ctx
// carries stays.
func NewAgentContext(ctx context.Context, agent *AgentContext) context.Context {
	id := identityOf(ctx)
	id.agent = agent
	return withIdentity(ctx, id)
}
