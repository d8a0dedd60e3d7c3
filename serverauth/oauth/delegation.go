package oauth

import (
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// delegated returns scope and audience for the agent, by the first rule for the person's role that allows everything it asks for.
func (s *Server) delegated(t *tokenRequest, p parties) (scope, audience []string, err error) {
	asked := targetsOf(t.form)
	names := splitScope(t.form.Get("scope"))
	refusal := errNotExchanged("subject_token", "the agent may not act for people of this role")
	for _, rule := range t.client.MayAct {
		if !slices.Contains(rule.Roles, p.person.Role) {
			continue
		}
		var ok bool
		if audience, ok = s.delegatedAudience(asked, rule, p.person); !ok {
			refusal = errInvalidTarget("the agent may not act for people at this resource")
			continue
		}
		if scope, ok = s.delegatedScope(names, audience, rule, p); ok {
			return scope, audience, nil
		}
		refusal = errInvalidScope("the scope is more than the person or the agent has")
	}
	return nil, nil, refusal
}

// targetsOf returns the resources (RFC 8707) and audiences (RFC 8693) of a request without duplicates.
func targetsOf(form url.Values) []string {
	asked := nonEmpty(slices.Concat(form["resource"], form["audience"]))
	slices.Sort(asked)
	return slices.Compact(asked)
}

// delegatedAudience returns the audience of an agent's token: what it asks for, or else that of the person's own token. It reports
// false if that is more than is allowed.
func (s *Server) delegatedAudience(asked []string, rule client.MayAct, person *clientauth.SecurityContext) ([]string, bool) {
	if len(asked) == 0 {
		return person.Audience, true
	}
	for _, uri := range asked {
		_, known := s.catalogue.resources[uri]
		mayAlso := slices.Contains(rule.Resources, uri) && (known || uri == s.audience)
		if !mayAlso && !slices.Contains(person.Audience, uri) {
			return nil, false
		}
	}
	return asked, true
}

// delegatedScope returns the scope of an agent's token: what it asks for, or else all that it may have. If the audience has a
// resource that the person's own token is not for, the scope must be one of the server or of the audience. It reports false if that
// is more than is allowed.
func (s *Server) delegatedScope(asked, audience []string, rule client.MayAct, p parties) ([]string, bool) {
	limits := [][]string{p.person.Scopes, rule.Scopes}
	if p.agent.Claims["agent_id"] != nil {
		limits = append(limits, p.agent.Scopes)
	}
	elsewhere := slices.ContainsFunc(audience, func(uri string) bool { return !slices.Contains(p.person.Audience, uri) })
	exceeds := func(name string) bool {
		_, known := s.catalogue.describe(name, audience)
		return elsewhere && !known || slices.ContainsFunc(limits, func(limit []string) bool {
			return !slices.ContainsFunc(limit, func(has string) bool { return verify.ScopeCovers(has, name) })
		})
	}
	if len(asked) == 0 {
		return splitScope(joined(slices.DeleteFunc(slices.Concat(limits...), exceeds))), true
	}
	return asked, !slices.ContainsFunc(asked, exceeds)
}

// revocationReach is how far back from when it becomes known a revocation of a subject may apply, in addition to the clock skew.
const revocationReach = 2 * time.Second

// acting returns the content of an agent's token. A later revocation of one of the two tokens must apply to it too: its `iat` is a
// little in the past, since a revocation by another process may apply from before it is known here, but not before the older token.
func (s *Server) acting(t *tokenRequest, p parties, scope, audience []string) (token.Request, error) {
	free, err := freeClaims(t.form.Get("subject_token"))
	if err != nil {
		return token.Request{}, err
	}
	expires := earliest(t.began.Add(s.auth.AccessTokenTTL()), p.person.ExpiresAt, p.agent.ExpiresAt)
	issued := t.began.Add(-s.auth.ClockSkew() - revocationReach).Truncate(time.Second)
	if earlier := earliest(p.person.IssuedAt, p.agent.IssuedAt); earlier.After(issued) {
		issued = earlier
	}
	request := personal(p.person, joined(scope))
	request.Extra, request.Audience, request.Kind = free, audience, kindExchange
	request.IssuedAt, request.TTL = issued, expires.Sub(issued)
	request.ClientID, request.KeyThumbprint = t.client.ID, t.proof.Key()
	request.Actor = &clientauth.Actor{Subject: p.agent.Subject, ClientID: t.client.ID, Actor: p.person.Actor}
	return request, nil
}

func earliest(times ...time.Time) time.Time { return slices.MinFunc(times, time.Time.Compare) }

// personal returns the claims about the person in an agent's token: those of the person's own token that the scope includes.
func personal(person *clientauth.SecurityContext, scope string) token.Request {
	text := func(name string) string {
		value, _ := person.Claims[name].(string)
		return value
	}
	wallet := store.Subject{
		Algorithm: person.Algorithm, WalletID: person.WalletID, Account: person.Account, Address: person.WalletAddress, WalletKind: person.WalletKind,
	}
	if person.WalletAddress != "" {
		wallet.Kind = store.KindWallet
	}
	authTime, _ := person.Claims["auth_time"].(float64)
	request := token.Request{
		Subject: person.Subject, SessionID: person.SessionID, Role: text("role"), Scope: scope, Wallet: wallet, AuthTime: int64(authTime),
		OrganisationID: person.OrganisationID, TaskType: text("task_type"), UserID: text("user_id"), ConversationID: text("conversation_id"),
		TaskID: text("task_id"), SpendLimit: person.Claims["spend_limit"],
	}
	if has(scope, scopeEmail) {
		request.Email = person.Email
	}
	if has(scope, scopeProfile) {
		request.Name = text("name")
	}
	if has(scope, scopeGroups) {
		request.Groups = person.Groups
	}
	return request
}

// freeClaims returns the claims of a valid token that the app has added, unchanged.
func freeClaims(text string) (map[string]any, error) {
	parts, err := jose.ParseCompact(text)
	if err != nil {
		return nil, err
	}
	var all map[string]jsontext.Value
	if err := json.Unmarshal(parts.Payload, &all); err != nil {
		return nil, err
	}
	free := make(map[string]any)
	for name, value := range all {
		if one := map[string]any{name: value}; claims.CheckFree(one) == nil {
			maps.Copy(free, one)
		}
	}
	return free, nil
}
