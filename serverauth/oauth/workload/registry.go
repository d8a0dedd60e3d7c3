package workload

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/oauth/internal/assertion"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Limits of an assertion, whose maximum size in bytes is jose.MaxTokenBytes.
const (
	// maxLife is the maximum time until an assertion expires. Its use is stored for that long.
	maxLife = 24 * time.Hour
	// maxSubject is the maximum length of its sub in bytes, which is that of a SPIFFE ID.
	maxSubject = 2048
)

// Registry validates assertions of workloads. It is safe for concurrent use.
type Registry struct {
	issuers map[string][]*rule // in the order of the configuration
	uses    *assertion.Uses
}

// RegistryConfig configures a Registry.
type RegistryConfig struct {
	Workloads []Config // valid, see Check
	Key       string   // of the list, for errors: oauth.workloads
	Own       string   // this server's issuer, which no workload may have
	ClockSkew time.Duration
	Used      store.UsedStore // of assertions
	Clock     app.Clock
	Log       *slog.Logger
}

// rule is an item of the configuration with the validator of its assertions.
type rule struct {
	subject   string
	audience  []string
	validator *verify.TokenValidator
	client    *client.Client
	sub       string
}

// Identity is the workload that an assertion identifies, and what it may do at this server.
type Identity struct {
	// Name identifies it at its issuer: the issuer, a space and the subject.
	Name string
	// Subject is the claim sub of its tokens.
	Subject string
	// Client is the workload as a client of this server: what it may ask for.
	Client *client.Client
	// Expires is when the assertion expires. No token for it is valid longer.
	Expires time.Time

	id []string // identifies the assertion in the store
}

// CheckWith returns the faults that Check does not find: workloads of the server itself, own, and each ca_file without certificates.
func CheckWith(key string, all []Config, own string) error {
	var faults []error
	for i, one := range all {
		if _, err := one.trusted(own); err != nil {
			faults = append(faults, &config.Error{Key: fmt.Sprintf("%s[%d].%s", key, i, err.Key), Reason: err.Reason})
		}
	}
	return errors.Join(faults...)
}

// trusted returns the HTTP client for the keys.
func (c Config) trusted(own string) (*http.Client, *config.Error) {
	if c.Issuer == own {
		return nil, &config.Error{Key: "issuer", Reason: "is this server; for its own tokens use token exchange"}
	}
	trusted, err := verify.ClientTrusting(c.CAFile)
	if err != nil {
		return nil, &config.Error{Key: "ca_file", Reason: err.Error()}
	}
	return trusted, nil
}

// NewRegistry returns a registry. It makes no request. The error is a *config.Error with a key of the list.
func NewRegistry(c RegistryConfig) (*Registry, error) {
	r := &Registry{issuers: make(map[string][]*rule), uses: assertion.NewUses(c.Used, c.ClockSkew, c.Clock)}
	sets := make(map[string]verify.KeySet)
	for i, one := range c.Workloads {
		at := func(key string, err error) error {
			return &config.Error{Key: fmt.Sprintf("%s[%d].%s", c.Key, i, key), Reason: err.Error()}
		}
		trusted, fault := one.trusted(c.Own)
		if fault != nil {
			return nil, at(fault.Key, errors.New(fault.Reason))
		}
		var err error
		if sets[one.Issuer] == nil {
			source := one.keySet()
			source.Client, source.Clock, source.Logger = trusted, c.Clock, c.Log
			if sets[one.Issuer], err = verify.NewRemoteKeySet(source); err != nil {
				return nil, at("jwks_url", err)
			}
		}
		made, err := r.rule(one, sets[one.Issuer], c.ClockSkew)
		if err != nil {
			return nil, at("claims", err)
		}
		r.issuers[one.Issuer] = append(r.issuers[one.Issuer], made)
	}
	return r, nil
}

func (r *Registry) rule(c Config, keys verify.KeySet, skew time.Duration) (*rule, error) {
	claims, err := config.FlatTexts("claims", c.Claims)
	if err != nil {
		return nil, err
	}
	validator, err := verify.NewTokenValidator(verify.ValidatorConfig{
		Issuers: []verify.TrustedIssuer{{Issuer: c.Issuer, Audiences: c.Audience, RequiredClaims: claims, Keys: keys}},
		Types:   []string{"jose"}, Leeway: skew, Clock: r.uses.Now,
	})
	return &rule{
		subject: c.Subject, audience: c.Audience, validator: validator, sub: c.Sub,
		client: &client.Client{Source: client.Configured, DefaultScopes: c.scopes(), Config: client.Config{
			ID: c.Client, Name: c.Client, AuthMethod: client.AuthNone, Grants: []string{client.GrantJWTBearer},
			Scopes: c.scopes(), Resources: c.Resources, Role: cmp.Or(c.Role, client.DefaultRole),
		}},
	}, err
}

// Identify returns the workload of an assertion, by the first item of the configuration that accepts it. The error is a
// *client.Error, which reveals nothing of the configuration; its Reason is for the log. Any other error means that the assertion
// cannot be validated now, because the issuer's keys are not available.
func (r *Registry) Identify(ctx context.Context, text string) (*Identity, error) {
	issuer, subject, err := unverified(text)
	if err != nil {
		return nil, Refused(err)
	}
	rules := r.issuers[issuer]
	if len(rules) == 0 {
		return nil, Refused(fmt.Errorf("no workload has the issuer %.200q", issuer))
	}
	err = fmt.Errorf("no workload of the issuer %q has the subject %.200q", issuer, subject)
	for _, one := range rules {
		if !matches(one.subject, subject) {
			continue
		}
		found, judged := one.validator.Validate(ctx, text)
		switch {
		case errors.Is(judged, verify.ErrUnavailable):
			return nil, judged
		case judged == nil:
			return r.identity(one, found, text)
		}
		if err = judged; errors.Is(judged, verify.ErrInvalidSignature) || errors.Is(judged, verify.ErrUnknownKey) {
			break // the other rules have the same keys
		}
	}
	return nil, Refused(err)
}

// unverified returns the issuer and subject of an assertion before it is verified. They only select the rules to check.
func unverified(text string) (issuer, subject string, err error) {
	parts, err := jose.ParseCompact(text)
	if err != nil {
		return "", "", err
	}
	claims, err := jose.ParseObject(parts.Payload)
	if err != nil {
		return "", "", err
	}
	issuer, _ = claims["iss"].(string)
	subject, _ = claims["sub"].(string)
	return issuer, subject, nil
}

// identity returns the workload of a verified assertion.
func (r *Registry) identity(of *rule, found *verify.SecurityContext, text string) (*Identity, error) {
	switch life := found.ExpiresAt.Sub(r.uses.Now()); {
	case slices.ContainsFunc(found.Audience, func(aud string) bool { return !slices.Contains(of.audience, aud) }):
		return nil, Refused(errors.New("aud names another server too, which could use it here"))
	case len(found.Subject) > maxSubject:
		return nil, Refused(fmt.Errorf("sub has more than %d bytes", maxSubject))
	case life > maxLife:
		return nil, Refused(errors.New("exp is more than a day away"))
	case life < time.Second:
		return nil, Refused(errors.New("it expires in less than a second"))
	}
	name := found.Issuer + " " + found.Subject
	return &Identity{
		Name: name, Subject: cmp.Or(of.sub, name), Client: of.client, Expires: found.ExpiresAt, id: known(found, text),
	}, nil
}

// known returns what identifies a used assertion: its jti, or else a hash of what is signed, because the same content may have
// several valid signatures.
func known(found *verify.SecurityContext, text string) []string {
	if found.TokenID != "" {
		return []string{"workload jti", found.Issuer, found.TokenID}
	}
	signed := sha256.Sum256([]byte(text[:strings.LastIndexByte(text, '.')]))
	return []string{"workload assertion", string(signed[:])}
}

// Spend marks an assertion as used. The error is a *client.Error if it was used before.
func (r *Registry) Spend(ctx context.Context, i *Identity) error {
	first, err := r.uses.First(ctx, i.Expires, i.id...)
	if err == nil && !first {
		err = &client.Error{Code: "invalid_grant", Description: "the assertion was used before", Reason: "used before: " + i.Name}
	}
	return err
}

// Refused returns the error for an assertion that is not accepted. The reason is for the log.
func Refused(reason error) *client.Error {
	return &client.Error{Code: "invalid_grant", Description: "the assertion is refused; the server's log says why", Reason: reason.Error()}
}
