package clientauth

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// SettingsSection is the section of the configuration that [Settings] are read from.
const SettingsSection = "auth_client"

// Settings are the section auth_client. The flat keys describe one issuer; Issuers lists more.
type Settings struct {
	// Enabled false lets every request pass, unauthenticated. RequireRole and its like still refuse.
	Enabled bool `koanf:"enabled"`
	// Issuer is the claim iss to accept. It is required, unless the issuer runs in the same app or Issuers has some.
	Issuer string `koanf:"issuer"`
	// Audience is the claim aud to accept; required as Issuer is.
	Audience string `koanf:"audience"`
	// JWKSURL is where the issuer's keys are; empty is {issuer}/api/v1/auth/jwks.
	JWKSURL string `koanf:"jwks_url"`
	// JWKSEndpoint is another name of JWKSURL.
	JWKSEndpoint string `koanf:"jwks_endpoint"`
	// JWKSTTLSeconds is how long keys are used when the issuer sends no max-age.
	JWKSTTLSeconds int `koanf:"jwks_ttl_seconds"`
	// AcceptedAlgorithms is the allow-list; empty is RS256, or those of the issuer in the same app.
	AcceptedAlgorithms []string `koanf:"accepted_algorithms"`
	// RevocationEndpoint is where the denylist is; empty is none.
	RevocationEndpoint string `koanf:"revocation_endpoint"`
	// RevocationTTLSeconds is the longest time between a revocation and its effect.
	RevocationTTLSeconds int `koanf:"revocation_ttl_seconds"`
	// RevocationBearer is sent to the denylist as a bearer token.
	RevocationBearer string `koanf:"revocation_bearer"`
	// RevocationSecret is sent to the denylist as X-Fleet-Secret.
	RevocationSecret string `koanf:"revocation_secret"`
	// RevocationFailOpen accepts tokens while the denylist cannot be had.
	RevocationFailOpen bool `koanf:"revocation_fail_open"`
	// LeewaySeconds is how far clocks may differ.
	LeewaySeconds int `koanf:"leeway_seconds"`
	// InsecureAllowHTTP allows http for keys and denylists of any host.
	InsecureAllowHTTP bool `koanf:"insecure_allow_http"`
	// TokenCacheSize is how many verified tokens are remembered; 0 is none.
	TokenCacheSize int `koanf:"token_cache_size"`
	// RequireTyp accepts only tokens that say "typ": "at+jwt".
	RequireTyp bool `koanf:"require_typ"`
	// Issuers are further issuers.
	Issuers []IssuerSettings `koanf:"issuers"`
}

// IssuerSettings is one of the issuers, with the keys that Settings has for its own. What is empty or 0 is as there by
// default.
type IssuerSettings struct {
	Issuer               string   `koanf:"issuer"`
	Audience             string   `koanf:"audience"`
	JWKSURL              string   `koanf:"jwks_url"`
	JWKSEndpoint         string   `koanf:"jwks_endpoint"`
	JWKSTTLSeconds       int      `koanf:"jwks_ttl_seconds"`
	AcceptedAlgorithms   []string `koanf:"accepted_algorithms"`
	RevocationEndpoint   string   `koanf:"revocation_endpoint"`
	RevocationTTLSeconds int      `koanf:"revocation_ttl_seconds"`
	RevocationBearer     string   `koanf:"revocation_bearer"`
	RevocationSecret     string   `koanf:"revocation_secret"`
	RevocationFailOpen   bool     `koanf:"revocation_fail_open"`
}

// Defaults of the keys that an issuer leaves out.
const (
	defaultKeysTTLSeconds       = 300
	defaultRevocationTTLSeconds = 15
)

// DefaultSettings returns the settings of an empty section.
func DefaultSettings() Settings {
	return Settings{Enabled: true, JWKSTTLSeconds: defaultKeysTTLSeconds, LeewaySeconds: 30,
		RevocationTTLSeconds: defaultRevocationTTLSeconds, TokenCacheSize: 10_000}
}

// Validate checks every value on its own; whether an issuer is missing shows only when it is known if one runs in the
// same app.
func (s Settings) Validate() error {
	problems := []error{
		app.CheckRange("leeway_seconds", s.LeewaySeconds, 0, 600),
		app.CheckRange("token_cache_size", s.TokenCacheSize, 0, 10_000_000),
		s.flat().validate(""),
	}
	for i, issuer := range s.Issuers {
		problems = append(problems, issuer.withDefaults().validate(listKey(i, "")))
	}
	return errors.Join(problems...)
}

// Leeway is LeewaySeconds.
func (s Settings) Leeway() time.Duration { return time.Duration(s.LeewaySeconds) * time.Second }

// flat returns the issuer that the flat keys describe.
func (s Settings) flat() IssuerSettings {
	return IssuerSettings{Issuer: s.Issuer, Audience: s.Audience, JWKSURL: s.JWKSURL, JWKSEndpoint: s.JWKSEndpoint,
		JWKSTTLSeconds: s.JWKSTTLSeconds, AcceptedAlgorithms: s.AcceptedAlgorithms,
		RevocationEndpoint: s.RevocationEndpoint, RevocationTTLSeconds: s.RevocationTTLSeconds,
		RevocationBearer: s.RevocationBearer, RevocationSecret: s.RevocationSecret, RevocationFailOpen: s.RevocationFailOpen}
}

func (i IssuerSettings) withDefaults() IssuerSettings {
	if i.JWKSTTLSeconds == 0 {
		i.JWKSTTLSeconds = defaultKeysTTLSeconds
	}
	if i.RevocationTTLSeconds == 0 {
		i.RevocationTTLSeconds = defaultRevocationTTLSeconds
	}
	return i
}

// validate names keys with prefix before them.
func (i IssuerSettings) validate(prefix string) error {
	problems := []error{
		app.CheckRange(prefix+"jwks_ttl_seconds", i.JWKSTTLSeconds, 1, 86_400),
		app.CheckRange(prefix+"revocation_ttl_seconds", i.RevocationTTLSeconds, 1, 3600),
	}
	for _, alg := range i.AcceptedAlgorithms {
		problems = append(problems, app.CheckOneOf(prefix+"accepted_algorithms", alg, jose.Algorithms()...))
	}
	if i.JWKSURL != "" && i.JWKSEndpoint != "" && i.JWKSURL != i.JWKSEndpoint {
		problems = append(problems, &app.ConfigError{Key: prefix + "jwks_endpoint", Reason: "differs from jwks_url, whose other name it is"})
	}
	if i.RevocationBearer != "" && i.RevocationSecret != "" {
		problems = append(problems, &app.ConfigError{Key: prefix + "revocation_secret", Reason: "is set beside revocation_bearer; one is sent"})
	}
	problems = append(problems, checkHeaderValue(prefix+"revocation_bearer", i.RevocationBearer),
		checkHeaderValue(prefix+"revocation_secret", i.RevocationSecret))
	return errors.Join(problems...)
}

// checkHeaderValue does not print the value, which is a secret.
func checkHeaderValue(key, value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r < '!' || r > '~' }) {
		return &app.ConfigError{Key: key, Reason: "holds a character that a header cannot"}
	}
	return nil
}

// jwksURL is where the keys are.
func (i IssuerSettings) jwksURL() string {
	if i.JWKSURL+i.JWKSEndpoint == "" {
		return strings.TrimRight(i.Issuer, "/") + "/api/v1/auth/jwks"
	}
	return cmp.Or(i.JWKSURL, i.JWKSEndpoint)
}

// algorithms is the allow-list, or fallback when the section has none.
func (i IssuerSettings) algorithms(fallback ...string) []string {
	if len(i.AcceptedAlgorithms) == 0 {
		return slices.Clone(fallback)
	}
	return i.AcceptedAlgorithms
}
