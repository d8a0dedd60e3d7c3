package clientauth

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// maxTime is the last second of the year 9999; a later exp counts as this one, so that it can be written as RFC 3339.
const maxTime = 253402300799

// claimSet reads the claims of one token.
type claimSet map[string]any

// id returns a claim that something is looked up by: a text, or "" when it is absent or null. Another type is
// [ErrMalformedToken], since the denylist could not be asked about it.
func (c claimSet) id(name string) (string, error) {
	text, isText := c[name].(string)
	if !isText && c[name] != nil {
		return "", because(ErrMalformedToken, "claim %q is not a text", name)
	}
	return text, nil
}

// required returns a claim that must be a text and not empty.
func (c claimSet) required(name string) (string, error) {
	text, err := c.id(name)
	if err == nil && text == "" {
		err = because(ErrMalformedToken, "claim %q is missing", name)
	}
	return text, err
}

// text returns a claim that informs and decides nothing: another type counts as absent.
func (c claimSet) text(name string) string {
	text, _ := c[name].(string)
	return text
}

// texts returns a list of texts, or a single text as a list of one. Items of another type are left out.
func (c claimSet) texts(name string) []string {
	switch value := c[name].(type) {
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

// scopes returns the first of the named claims that holds any: a text is split at its spaces (RFC 8693 section 4.2).
func (c claimSet) scopes(names ...string) []string {
	for _, name := range names {
		if text, isText := c[name].(string); isText {
			if list := strings.Fields(text); len(list) > 0 {
				return list
			}
			continue
		}
		if list := c.texts(name); len(list) > 0 {
			return list
		}
	}
	return nil
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

// seconds returns a NumericDate (RFC 7519 section 2) as whole Unix seconds, and whether the claim is there. A text or
// another type is [ErrMalformedToken]; a number that is not finite was refused by the parser.
func (c claimSet) seconds(name string) (value int64, present bool, err error) {
	raw, present := c[name]
	if !present {
		return 0, false, nil
	}
	number, isNumber := raw.(float64)
	if !isNumber || number < 0 {
		return 0, true, because(ErrMalformedToken, "claim %q is not a time", name)
	}
	return int64(math.Min(number, maxTime)), true, nil
}

// lifetime holds the times of a token in Unix seconds; 0 stands for an absent nbf or iat.
type lifetime struct{ expires, notBefore, issued int64 }

func (c claimSet) lifetime() (l lifetime, err error) {
	var present bool
	if l.expires, present, err = c.seconds("exp"); err != nil {
		return l, err
	}
	if !present || l.expires <= 0 {
		return l, because(ErrMalformedToken, "exp is missing or not positive")
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
		return ErrTokenExpired
	case now < l.notBefore-leeway || now < l.issued-leeway:
		return ErrTokenNotYetValid
	}
	return nil
}

// checkAudience looks for wanted in aud, a text or a list of texts.
func (c claimSet) checkAudience(wanted string) error {
	switch aud := c["aud"].(type) {
	case string:
		if aud == wanted {
			return nil
		}
	case []any:
		found := false
		for _, item := range aud {
			text, isText := item.(string)
			if !isText {
				return because(ErrMalformedToken, "aud holds more than texts")
			}
			found = found || text == wanted
		}
		if found {
			return nil
		}
	default:
		return because(ErrMalformedToken, "aud is missing or no text or list")
	}
	return ErrWrongAudience
}

// checkType refuses refresh tokens by what the claims say.
func (c claimSet) checkType() error {
	for _, name := range []string{"type", "typ"} {
		if strings.EqualFold(c.text(name), "refresh") {
			return because(ErrTokenType, "claim %q says refresh", name)
		}
	}
	return nil
}

// checkHeaderType takes the "typ" of access tokens (RFC 9068 section 2.1) and, unless strict, of any JWT or none.
func checkHeaderType(typ string, strict bool) error {
	kind := strings.TrimPrefix(strings.ToLower(typ), "application/")
	if kind == "at+jwt" || !strict && (kind == "jwt" || typ == "") {
		return nil
	}
	return because(ErrTokenType, "typ %.32q", typ)
}

// caller builds the identity that the claims tell.
func (c claimSet) caller(l lifetime) *SecurityContext {
	s := &SecurityContext{
		Subject: c.text("sub"), Issuer: c.text("iss"), Audience: c.texts("aud"),
		Groups: c.texts("groups"), Scopes: c.scopes("scope", "scopes", "scp"),
		SessionID: c.text("sid"), TokenID: c.text("jti"), ClientID: c.text("client_id"),
		WalletAddress: c.text("wallet_address"), WalletID: c.text("wallet_id"), Account: c.text("account"),
		Algorithm: c.text("algorithm"), ExpiresAt: time.Unix(l.expires, 0).UTC(), Claims: c,
	}
	if l.issued > 0 {
		s.IssuedAt = time.Unix(l.issued, 0).UTC()
	}
	s.setRoles(claimRoles(c))
	return s
}

// agent builds the agent that the claims tell, or nil when they tell none: an agent's token has agent_id, task_type
// or scopes.
func (c claimSet) agent() *AgentContext {
	if c["agent_id"] == nil && c["task_type"] == nil && c["scopes"] == nil {
		return nil
	}
	a := &AgentContext{
		Subject: c.text("sub"), AgentID: c.text("agent_id"), TaskType: c.text("task_type"), UserID: c.text("user_id"),
		SessionID: c.text("session_id"), ConversationID: c.text("conversation_id"), TaskID: c.text("task_id"),
		OrganisationID: c.text("org_id"), Role: c.text("role"), Scopes: c.scopes("scopes", "scope"),
		SpendLimit: c.decimal("spend_limit"), ParentChain: c.texts("parent_chain"), Claims: c,
	}
	if a.SessionID == "" {
		a.SessionID = c.text("sid")
	}
	return a
}

// parsePayload reads the claims of a token.
func parsePayload(t *jose.Compact) (claimSet, error) {
	claims, err := jose.ParseObject(t.Payload)
	if err != nil {
		return nil, because(ErrMalformedToken, "claims: %w", err)
	}
	return claims, nil
}
