package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/picoauth/picoauth/serverauth/oauth/internal/faults"
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

// CheckMayAct adds the faults of rules, whose keys are such as may_act[0].roles[1]. It checks resources only if known has the
// server's own audience.
func CheckMayAct(f faults.List, key string, rules []MayAct, known Known) {
	if len(rules) > maxRules {
		f.Add(key, "has more than %d items", maxRules)
		return
	}
	for i, rule := range rules {
		its := f.In("%s[%d].", key, i)
		checkRoles(its, rule.Roles)
		CheckList(its, "scopes", rule.Scopes, append(OpenIDScopes(), known.Scopes...))
		if known.Audience != "" {
			CheckList(its, "resources", rule.Resources, append([]string{known.Audience}, known.Resources...))
		}
	}
}

func checkRoles(f faults.List, roles []string) {
	if len(roles) == 0 {
		f.Add("roles", "must not be empty: it lists the roles of the people for whom the agent may act")
	}
	for i, role := range roles {
		at := fmt.Sprintf("roles[%d]", i)
		switch {
		case role == "" || len([]rune(role)) > maxRole:
			f.Add(at, "must have 1 to %d characters", maxRole)
		case slices.Contains(roles[:i], role):
			f.Add(at, "%q is there twice", role)
		}
	}
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
	return &Client{Config: Config{ID: agentID, Name: agentID, AuthMethod: authFleetToken, MayAct: rules}, Source: Fleet}, nil
}
