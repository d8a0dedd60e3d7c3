package clientauth

import (
	"errors"
	"fmt"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// TrustedIssuer is an issuer whose tokens are accepted, with the rules for them.
type TrustedIssuer struct {
	// Issuer is compared exactly with the claim iss.
	Issuer string
	// Audience must be the claim aud, or one of it when it is a list.
	Audience string
	// Algorithms is the allow-list for the header's alg, of those in [jose.Algorithms].
	Algorithms []string
	// Keys finds the issuer's public keys.
	Keys KeySet
	// Denylist says which tokens were revoked; nil for an issuer without one.
	Denylist Denylist
}

// LocalIssuer is the issuer that runs in the same app. serverauth provides it to fx, and [Module] takes it as the
// default issuer, audience, algorithms, keys and denylist: no HTTP is made to the app itself.
type LocalIssuer struct {
	TrustedIssuer
}

// Validate reports what is missing, and algorithms that are never accepted: HS256 and none among them.
func (t TrustedIssuer) Validate() error {
	var problems []error
	if t.Issuer == "" {
		problems = append(problems, errors.New("clientauth: a trusted issuer needs an issuer"))
	}
	if t.Audience == "" {
		problems = append(problems, fmt.Errorf("clientauth: the trusted issuer %q needs an audience", t.Issuer))
	}
	if t.Keys == nil {
		problems = append(problems, fmt.Errorf("clientauth: the trusted issuer %q needs keys", t.Issuer))
	}
	if len(t.Algorithms) == 0 {
		problems = append(problems, fmt.Errorf("clientauth: the trusted issuer %q needs algorithms", t.Issuer))
	}
	for _, alg := range t.Algorithms {
		if jose.KeyType(alg) == "" {
			problems = append(problems, fmt.Errorf("clientauth: algorithm %q cannot be accepted", alg))
		}
	}
	return errors.Join(problems...)
}
