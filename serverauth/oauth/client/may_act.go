package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// MayAct allows a client, or an agent of a fleet, to act for people by token exchange (RFC 8693). A single rule must allow the
// whole request; rules are not combined.
type MayAct struct {
	// Roles are the roles of these people; at least one.
	Roles []string `koanf:"roles" json:"roles"`
	// Scopes are what the token with which it acts may have, and never more than the person's own token has; empty: none.
	Scopes []string `koanf:"scopes" json:"scopes,omitempty"`
	// Resources are what such a token may be for in addition to the audience of the person's own token: URIs of the server's
	// resources, and the server's own audience.
	Resources []string `koanf:"resources" json:"resources,omitempty"`
}

const (
	maxRules = 64  // of a client
	maxRole  = 100 // characters
)

// CheckMayAct returns the faults of rules: each is a *config.Error whose key begins with key, such as may_act[0].roles[1]. It
// checks resources only if known has the server's own audience.
func CheckMayAct(key string, rules []MayAct, known Known) error {
	if len(rules) > maxRules {
		return prefixed("", fault(key, "has more than %d items", maxRules))
	}
	var all []error
	for i, rule := range rules {
		prefix := fmt.Sprintf("%s[%d].", key, i)
		all = append(all, checkRoles(prefix, rule.Roles), checkList(prefix, "scopes", rule.Scopes, append(OpenIDScopes(), known.Scopes...)))
		if known.Audience != "" {
			all = append(all, checkList(prefix, "resources", rule.Resources, append([]string{known.Audience}, known.Resources...)))
		}
	}
	return errors.Join(all...)
}

func checkRoles(prefix string, roles []string) error {
	if len(roles) == 0 {
		return prefixed(prefix, fault("roles", "must not be empty: it lists the roles of the people for whom the agent may act"))
	}
	var all []error
	for i, role := range roles {
		at := fmt.Sprintf("roles[%d]", i)
		switch {
		case role == "" || len([]rune(role)) > maxRole:
			all = append(all, prefixed(prefix, fault(at, "must have 1 to %d characters", maxRole)))
		case slices.Contains(roles[:i], role):
			all = append(all, prefixed(prefix, fault(at, "%q is there twice", role)))
		}
	}
	return errors.Join(all...)
}

// ErrNamesakeClient is returned for an agent of a fleet whose agent_id is also the id of a client.
var ErrNamesakeClient = errors.New("the agent_id is also the id of a client")

// OfFleet returns an agent of a fleet as a client, for token exchange alone. The error is ErrNamesakeClient if a client has the
// same id, because services could not tell them apart, or an error of the store.
func (r *Registry) OfFleet(ctx context.Context, agentID string, rules []MayAct) (*Client, error) {
	_, taken := r.configured[agentID]
	if !taken && r.documents != nil {
		taken = r.documents.isDocumentID(agentID)
	}
	if !taken && r.store != nil && len(agentID) <= maxID {
		var err error
		if _, taken, err = r.store.Find(ctx, agentID); err != nil {
			return nil, fmt.Errorf("client store: %w", err)
		}
	}
	if taken {
		return nil, ErrNamesakeClient
	}
	return &Client{ID: agentID, Name: agentID, Source: Fleet, AuthMethod: authFleetToken, MayAct: rules}, nil
}
