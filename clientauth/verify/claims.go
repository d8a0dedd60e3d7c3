package verify

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// maxTime is the last second of the year 9999; a later time counts as this one, so that it can be written as RFC 3339.
const maxTime = 253402300799

// missingClaim is the format of the reason for a claim that is not there, or empty.
const missingClaim = "claim %q is missing"

// claimSet reads the claims of one token.
type claimSet map[string]any

// id returns a claim with an identifier: a text, or "" if it is absent or null. Another type is an [ErrMalformedToken], because
// it could not be looked up in the denylist.
func (c claimSet) id(name string) (string, error) {
	text, isText := c[name].(string)
	if !isText && c[name] != nil {
		return "", explain(ErrMalformedToken, "claim %q is not a text", name)
	}
	return text, nil
}

// required returns a claim that must be a text and not empty.
func (c claimSet) required(name string) (string, error) {
	text, err := c.id(name)
	if err == nil && text == "" {
		err = explain(ErrMalformedToken, missingClaim, name)
	}
	return text, err
}

// text returns an informational claim, on which no decision depends. A value of another type counts as absent.
func (c claimSet) text(name string) string {
	text, _ := c[name].(string)
	return text
}

// texts returns a list of texts; a single text is a list with one item. Empty items and those of another type are left out.
func (c claimSet) texts(name string) []string { return texts(c[name]) }

func texts(value any) []string {
	switch value := value.(type) {
	case string:
		if value != "" {
			return []string{value}
		}
	case []any:
		list := make([]string, 0, len(value))
		for _, item := range value {
			if text, ok := item.(string); ok && text != "" {
				list = append(list, text)
			}
		}
		return list
	}
	return nil
}

// scopes returns the scopes of the first of the named claims that is not empty.
func (c claimSet) scopes(names ...string) []string {
	for _, name := range names {
		if list := scopes(c[name]); len(list) > 0 {
			return list
		}
	}
	return nil
}

// scopesAt returns the scopes at a path or, without a path, those of the first of the named claims that is not empty.
func (c claimSet) scopesAt(path string, names ...string) []string {
	if path != "" {
		return scopes(c.at(path))
	}
	return c.scopes(names...)
}

// scopes splits a text at its spaces (RFC 8693 section 4.2).
func scopes(value any) []string {
	if text, isText := value.(string); isText {
		return strings.Fields(text)
	}
	return texts(value)
}

// decimal returns a text, or a number in its shortest form.
func (c claimSet) decimal(name string) string {
	switch value := c[name].(type) {
	case string:
		return value
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	return ""
}

// seconds returns a NumericDate (RFC 7519 section 2) as whole Unix seconds, and whether the claim is there. Another
// type or a negative number is an [ErrMalformedToken]; the parser has refused numbers that are not finite.
func (c claimSet) seconds(name string) (value int64, present bool, err error) {
	raw, present := c[name]
	if !present {
		return 0, false, nil
	}
	number, isNumber := raw.(float64)
	if !isNumber || number < 0 {
		return 0, true, explain(ErrMalformedToken, "claim %q is not a time", name)
	}
	return int64(math.Min(number, maxTime)), true, nil
}

// lifetime are the times of a token in Unix seconds; 0 for an absent nbf or iat.
type lifetime struct{ expires, notBefore, issued int64 }

func (c claimSet) lifetime() (l lifetime, err error) {
	var present bool
	if l.expires, present, err = c.seconds("exp"); err != nil {
		return l, err
	}
	if !present {
		return l, explain(ErrMalformedToken, missingClaim, "exp")
	}
	if l.expires <= 0 {
		return l, explain(ErrMalformedToken, "claim \"exp\" is not positive")
	}
	if l.notBefore, _, err = c.seconds("nbf"); err != nil {
		return l, err
	}
	l.issued, _, err = c.seconds("iat")
	return l, err
}

// check compares the times with now, in Unix seconds.
func (l lifetime) check(now, leeway int64) error {
	switch {
	case now >= l.expires+leeway:
		return explain(ErrTokenExpired, "it expired at %s; here it is %s", timeText(l.expires), timeText(now))
	case now < l.notBefore-leeway:
		return explain(ErrTokenNotYetValid, "it is valid from %s (nbf); here it is %s", timeText(l.notBefore), timeText(now))
	case now < l.issued-leeway:
		return explain(ErrTokenNotYetValid, "it was issued at %s (iat); here it is %s", timeText(l.issued), timeText(now))
	}
	return nil
}

func timeText(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// checkAudience checks that a claim, a text or a list of texts, contains one of wanted.
func (c claimSet) checkAudience(name string, wanted []string) error {
	switch aud := c[name].(type) {
	case string:
		if slices.Contains(wanted, aud) {
			return nil
		}
	case []any:
		found := false
		for _, item := range aud {
			text, isText := item.(string)
			if !isText {
				return explain(ErrMalformedToken, "claim %q has an item that is not a text", name)
			}
			found = found || slices.Contains(wanted, text)
		}
		if found {
			return nil
		}
	case nil:
		return explain(ErrMalformedToken, missingClaim, name)
	default:
		return explain(ErrMalformedToken, "claim %q is neither a text nor a list", name)
	}
	return explain(ErrWrongAudience, "%s %s came; %s is wanted", name, listed(c.texts(name)), listed(wanted))
}

// listed formats a few values, shortened, for a hint.
func listed(values []string) string {
	const most = 3
	if len(values) == 0 {
		return `""`
	}
	texts := make([]string, 0, most+1)
	for i, value := range values {
		if i == most {
			texts = append(texts, "…")
			break
		}
		texts = append(texts, fmt.Sprintf("%.100q", value))
	}
	return strings.Join(texts, ", ")
}

// caller returns the caller that the claims describe.
func (c claimSet) caller(issuer *TrustedIssuer, subject string, actor *Actor, bound *binding, l lifetime) *SecurityContext {
	s := &SecurityContext{
		Subject: subject, Issuer: c.text("iss"), Audience: c.texts("aud"),
		Groups: texts(c.at(cmp.Or(issuer.GroupsPath, "groups"))), Scopes: c.scopesAt(issuer.ScopePath, "scope", "scopes", "scp"),
		Actor: actor, SessionID: c.text("sid"), TokenID: c.text("jti"), ClientID: c.text("client_id"),
		WalletAddress: c.text("wallet_address"), WalletID: c.text("wallet_id"), WalletKind: c.text("wallet_kind"), Account: c.text("account"),
		Email: c.text("email"), OrganisationID: c.text("org_id"), Algorithm: c.text("algorithm"), ExpiresAt: time.Unix(l.expires, 0).UTC(), Claims: c,
		rolePath: issuer.RolePath, bound: bound,
	}
	if l.issued > 0 {
		s.IssuedAt = time.Unix(l.issued, 0).UTC()
	}
	s.setRoles(c.roles(issuer.RolePath))
	return s
}

// agent returns the agent that the claims describe, or nil if the token is not one of an agent: that has act, agent_id,
// task_type or scopes.
func (c claimSet) agent(issuer *TrustedIssuer, caller *SecurityContext) *AgentContext {
	if caller.Actor != nil {
		return caller.actingAgent()
	}
	if c["agent_id"] == nil && c["task_type"] == nil && c["scopes"] == nil {
		return nil
	}
	a := &AgentContext{
		Subject: caller.Subject, AgentID: c.text("agent_id"), TaskType: c.text("task_type"), UserID: c.text("user_id"),
		SessionID: cmp.Or(c.text("session_id"), c.text("sid")), ConversationID: c.text("conversation_id"), TaskID: c.text("task_id"),
		OrganisationID: c.text("org_id"), Role: c.text("role"), Scopes: c.scopesAt(issuer.ScopePath, "scopes", "scope"),
		SpendLimit: c.decimal("spend_limit"), ParentChain: c.texts("parent_chain"), Claims: c, isBound: caller.bound != nil,
	}
	if issuer.RolePath != "" {
		a.Role = caller.Role
	}
	return a
}

// parsePayload reads the claims of a token.
func parsePayload(t *jose.Compact) (claimSet, error) {
	claims, err := jose.ParseObject(t.Payload)
	if err != nil {
		return nil, explain(ErrMalformedToken, "claims: %w", err)
	}
	return claims, nil
}
