package verify

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// TrustedIssuer is an issuer whose tokens are accepted, with the rules for them.
type TrustedIssuer struct {
	// Issuer is the exact value of the claim iss. With Tenants it is a pattern, such as https://login.example.com/{tenant}/v2.0.
	Issuer string
	// Audience is the value of the claim aud, or one of its values if it is a list.
	Audience string
	// Audiences are further values, any of which is accepted in aud.
	Audiences []string
	// AudienceClaim is the claim with the audience for issuers whose access tokens have no aud: client_id or azp. Empty: aud.
	AudienceClaim string
	// RequiredClaims are claims that a token must have, each given by its name or path (see RolePath), with the required value:
	// a text, or a number or a boolean as in JSON. If the claim is a list, one item has to match.
	RequiredClaims map[string]string
	// Tenants are the accepted values of {tenant} in Issuer; a single "*" accepts all. The part of iss in place of {tenant}
	// must equal the claim tid.
	Tenants []string
	// SubjectClaim is the claim for [SecurityContext.Subject]; empty: sub. Choose a claim whose values the issuer never assigns
	// to another user. The denylist always uses sub.
	SubjectClaim string
	// RolePath, GroupsPath and ScopePath are the only claims with roles, groups and scopes: the name of a claim, or names
	// joined by dots, such as realm_access.roles. The claim is a list or a text (for scopes: separated by spaces). Empty: the
	// default claims.
	RolePath, GroupsPath, ScopePath string
	// Algorithms are the allowed values of alg, out of [jose.Algorithms]. Empty: all of these, each for keys that fit it
	// ([jose.Key.Fits]). HS256 and none are never allowed.
	Algorithms []string
	// Keys finds the issuer's public keys.
	Keys KeySet
	// Denylist reports revoked tokens; nil for an issuer without one.
	Denylist Denylist
}

// Validate returns an error for missing or invalid fields, such as the algorithms HS256 and none, which are never allowed.
func (t TrustedIssuer) Validate() error {
	var problems []error
	if t.Issuer == "" {
		problems = append(problems, errors.New("clientauth: TrustedIssuer.Issuer is empty"))
	}
	if len(t.audiences()) == 0 {
		problems = append(problems, fmt.Errorf("clientauth: the trusted issuer %q has no Audience", t.Issuer))
	}
	if t.Keys == nil {
		problems = append(problems, fmt.Errorf("clientauth: the trusted issuer %q has no Keys", t.Issuer))
	}
	if !slices.Contains(audienceClaims, t.AudienceClaim) {
		problems = append(problems, fmt.Errorf("clientauth: the claim %q cannot be the AudienceClaim; use one of %s", t.AudienceClaim, listed(audienceClaims[1:])))
	}
	if t.isPattern() {
		problems = append(problems, t.checkPattern())
	} else if strings.Contains(t.Issuer, tenantPlace) {
		problems = append(problems, fmt.Errorf("clientauth: the trusted issuer %q has no Tenants", t.Issuer))
	}
	for _, alg := range t.Algorithms {
		if jose.KeyType(alg) == "" {
			problems = append(problems, fmt.Errorf("clientauth: algorithm %q is not supported", alg))
		}
	}
	return errors.Join(problems...)
}

// audienceClaims are the possible claims for the audience; "" means aud.
var audienceClaims = []string{"", "aud", "client_id", "azp"}

// audiences returns the accepted audiences.
func (t *TrustedIssuer) audiences() []string {
	return slices.DeleteFunc(append([]string{t.Audience}, t.Audiences...), func(s string) bool { return s == "" })
}

// tenantPlace is the placeholder for a tenant in an issuer's pattern.
const tenantPlace = "{tenant}"

func (t *TrustedIssuer) isPattern() bool { return len(t.Tenants) > 0 }

// checkPattern returns an error unless exactly one segment of the path is the placeholder.
func (t *TrustedIssuer) checkPattern() error {
	before, after, found := strings.Cut(t.Issuer, "/"+tenantPlace)
	u, err := url.Parse(before)
	if !found || err != nil || u.Host == "" || after != "" && after[0] != '/' || strings.ContainsAny(before+after, "{}?#") {
		return fmt.Errorf("clientauth: the issuer %q has tenants, so %s must be one segment of its path", t.Issuer, tenantPlace)
	}
	everyone := len(t.Tenants) == 1 && t.Tenants[0] == "*"
	if !everyone && slices.ContainsFunc(t.Tenants, func(name string) bool { return name == "" || strings.ContainsAny(name, "*/?#{}, ") }) {
		return fmt.Errorf("clientauth: the tenants of %q must be a list of names, or only *", t.Issuer)
	}
	return nil
}

// tenantOf returns the part of the claim iss in place of {tenant}.
func (t *TrustedIssuer) tenantOf(name string) (tenant string, matches bool) {
	before, after, _ := strings.Cut(t.Issuer, tenantPlace)
	rest, begins := strings.CutPrefix(name, before)
	tenant, ends := strings.CutSuffix(rest, after)
	return tenant, begins && ends && tenant != "" && !strings.ContainsAny(tenant, "/?#")
}

// accepts reports whether the tenant is one of Tenants.
func (t *TrustedIssuer) accepts(tenant string) bool {
	return t.Tenants[0] == "*" || slices.Contains(t.Tenants, tenant)
}
