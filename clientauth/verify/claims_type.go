package verify

import (
	"slices"
	"strings"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// backchannelLogout is the event of a logout token (OpenID Connect Back-Channel Logout, section 2.4).
const backchannelLogout = "http://schemas.openid.net/event/backchannel-logout"

// checkType refuses, by their claims, tokens that are not access tokens although their header may be "JWT": refresh tokens, ID
// tokens and logout tokens.
func (c claimSet) checkType() error {
	for _, name := range []string{"type", "typ"} {
		if strings.EqualFold(c.text(name), "refresh") {
			return explain(ErrTokenType, "claim %q says refresh", name)
		}
	}
	switch typ := strings.ToLower(c.text("typ")); typ { // Keycloak's
	case "id", "logout", "offline":
		return explain(ErrTokenType, "claim \"typ\" says %s", typ)
	}
	if use := c["token_use"]; use != nil && use != "access" { // Cognito's
		return explain(ErrTokenType, "claim \"token_use\" does not say access")
	}
	for _, name := range []string{"nonce", "at_hash"} {
		if c[name] != nil && len(c.scopes("scope", "scp")) == 0 {
			return explain(ErrTokenType, "it has the claim %q and no scope: it is an ID token", name)
		}
	}
	if events, isObject := c["events"].(map[string]any); isObject && events[backchannelLogout] != nil {
		return explain(ErrTokenType, "claim \"events\" says logout")
	}
	return nil
}

// checkHeaderType accepts "at+jwt" (RFC 9068, section 2.1) and, unless strict, also "JWT", no typ, and the types of the
// configuration.
func (v *TokenValidator) checkHeaderType(typ string) error {
	kind := strings.TrimPrefix(strings.ToLower(typ), "application/")
	if kind == jose.AccessTokenType || !v.strictType && (kind == "jwt" || typ == "" || slices.Contains(v.types, kind)) {
		return nil
	}
	if v.strictType {
		return explain(ErrTokenType, `typ %.32q came; "at+jwt" is wanted`, typ)
	}
	return explain(ErrTokenType, `typ %.32q came; "at+jwt", "JWT" or none is wanted`, typ)
}
