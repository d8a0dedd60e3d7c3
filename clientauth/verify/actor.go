package verify

import (
	"context"
	"slices"
	"strings"
)

// Actor is the party that acts for the subject of a token: the claim act (RFC 8693, section 4.1). At least one of Subject and
// ClientID is not empty.
type Actor struct {
	// Subject is the member sub.
	Subject string `json:"sub,omitempty"`
	// ClientID is the member client_id.
	ClientID string `json:"client_id,omitempty"`
	// Actor is the previous actor, which passed the token on; nil for the first one. It is for audits only: authorize by the outermost
	// actor, which acts now.
	Actor *Actor `json:"act,omitempty"`
}

// MaxActors is the maximum length of a chain of actors. A token with a longer one is refused.
const MaxActors = 8

// actor reads the claim act; it returns nil if there is none. An actor without a name and a chain that is too long are an
// [ErrMalformedToken]: otherwise the token would count as one that the subject itself uses.
func (c claimSet) actor() (*Actor, error) {
	var first *Actor
	next, links := &first, 0
	for link := c["act"]; link != nil; links++ {
		members, isObject := link.(map[string]any)
		if !isObject {
			return nil, explain(ErrMalformedToken, "claim \"act\" is not an object")
		}
		actor, err := claimSet(members).link()
		if err != nil {
			return nil, err
		}
		if links == MaxActors {
			return nil, explain(ErrMalformedToken, "claim \"act\" has more than %d links", MaxActors)
		}
		*next, next = actor, &actor.Actor
		link = members["act"]
	}
	return first, nil
}

// link reads one object of a chain.
func (c claimSet) link() (*Actor, error) {
	subject, err := c.id("sub")
	if err != nil {
		return nil, err
	}
	client, err := c.id("client_id")
	if err != nil {
		return nil, err
	}
	if subject == "" && client == "" {
		return nil, explain(ErrMalformedToken, "claim \"act\" has neither sub nor client_id")
	}
	return &Actor{Subject: subject, ClientID: client}, nil
}

// Subjects returns the subjects of the whole chain, that of the current actor first; an actor without a subject has an empty
// one. A nil chain has none.
func (a *Actor) Subjects() []string {
	var all []string
	for ; a != nil; a = a.Actor {
		all = append(all, a.Subject)
	}
	return all
}

// HasActor reports whether one of the actors, by its sub or client_id, acts for the subject; without actors, whether any agent
// does. Previous actors do not count.
func (s *SecurityContext) HasActor(actors ...string) bool {
	if s.Actor == nil || len(actors) == 0 {
		return s.Actor != nil
	}
	return slices.ContainsFunc(actors, func(name string) bool {
		return name != "" && (name == s.Actor.Subject || name == s.Actor.ClientID)
	})
}

// actingAgent returns the agent that acts for the subject, or nil. It has the scopes of the token, and no role, because role is
// that of the subject.
func (s *SecurityContext) actingAgent() *AgentContext {
	if s.Actor == nil {
		return nil
	}
	c := claimSet(s.Claims)
	return &AgentContext{
		Subject: s.Actor.Subject, AgentID: s.Actor.ClientID, TaskType: c.text("task_type"), UserID: s.Subject, SessionID: s.SessionID,
		ConversationID: c.text("conversation_id"), TaskID: c.text("task_id"), OrganisationID: s.OrganisationID, Scopes: s.Scopes,
		SpendLimit: c.decimal("spend_limit"), ParentChain: s.Actor.Actor.Subjects(), Claims: s.Claims, isBound: s.bound != nil,
	}
}

// HasActor requires one of the actors, by its sub or client_id, to act for the caller; without actors, any agent.
func HasActor(actors ...string) Check {
	detail := "an agent that acts for the caller is required"
	if len(actors) > 0 {
		detail = "one of these actors is required: " + strings.Join(actors, ", ")
	}
	return callerCheckOf(detail, func(s *SecurityContext) bool { return s.HasActor(actors...) })
}

// HasNoActor requires that no agent acts for the caller, neither by the claim act nor in [AgentHeader].
func HasNoActor(ctx context.Context) error {
	return callerCheckOf("an agent may not do this", func(*SecurityContext) bool {
		_, byAgent := AgentFromContext(ctx)
		return !byAgent
	})(ctx)
}
