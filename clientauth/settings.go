package clientauth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// SettingsSection is the name of the configuration section for [Settings].
const SettingsSection = "auth_client"

// Settings is the configuration section auth_client. The keys of IssuerSettings are keys of the section too: they are for the
// first issuer, so that the environment can set them. Issuers lists further ones.
type Settings struct {
	IssuerSettings
	// Enabled false lets every request pass as anonymous. RequireRole and the like still refuse it.
	Enabled bool `koanf:"enabled"`
	// LeewaySeconds is the maximum difference between clocks, in seconds.
	LeewaySeconds int `koanf:"leeway_seconds"`
	// InsecureAllowHTTP allows http for keys and denylists of any host.
	InsecureAllowHTTP bool `koanf:"insecure_allow_http"`
	// CAFile is a PEM file of certificate authorities that are trusted for keys and denylists, in addition to the system's.
	CAFile string `koanf:"ca_file"`
	// TokenCacheSize is the number of verified tokens in the cache; 0: no cache.
	TokenCacheSize int `koanf:"token_cache_size"`
	// RequireTyp accepts only tokens with "typ": "at+jwt" (RFC 9068, section 4).
	RequireTyp bool `koanf:"require_typ"`
	// RequireDPoP refuses tokens that are not bound to a key (RFC 9449).
	RequireDPoP bool `koanf:"require_dpop"`
	// DPoPAlgorithms are the allowed algorithms of DPoP proofs.
	DPoPAlgorithms []string `koanf:"dpop_algorithms"`
	// DPoPCacheSize is the number of used proofs that are remembered, so that none is accepted twice.
	DPoPCacheSize int `koanf:"dpop_cache_size"`
	// DPoPStorageURL is a Redis for the used proofs, for several instances of a service; empty: each instance remembers its own in
	// memory.
	DPoPStorageURL string `koanf:"dpop_storage_url"`
	// DPoPNonce requires a nonce of this service in proofs (RFC 9449, section 9).
	DPoPNonce bool `koanf:"dpop_nonce"`
	// PublicURL is the public URL of the service, for the claim htu of proofs; empty: that of the connection, or what trusted
	// proxies send in X-Forwarded-Proto and X-Forwarded-Host.
	PublicURL string `koanf:"public_url"`
	// Resource is the resource identifier of this service, a URI (RFC 8707). It is the audience of every issuer without one, and
	// its metadata is served (RFC 9728).
	Resource string `koanf:"resource"`
	// ResourceName is the human-readable name of the service, for the metadata.
	ResourceName string `koanf:"resource_name"`
	// ScopesSupported are the scopes that clients may need, for the metadata.
	ScopesSupported []string `koanf:"scopes_supported"`
	// Issuers are further issuers. Keys that an entry leaves out have their defaults, not the values of the first issuer.
	Issuers []IssuerSettings `koanf:"issuers"`
}

// IssuerSettings are the settings of one issuer; see [TrustedIssuer] for the meaning of most of them.
type IssuerSettings struct {
	// Issuer is the value of the claim iss. It is required, unless the issuer runs in the same app or Issuers is not empty.
	Issuer string `koanf:"issuer"`
	// Tenants makes Issuer a pattern in which {tenant} is one of the tenants, or any for "*". It needs JWKSURL.
	Tenants []string `koanf:"tenants"`
	// Audience is the value of the claim aud, or several, one of which has to match. It is required if Issuer is, unless Resource is
	// set or the issuer runs in the same app.
	Audience config.TextOrList `koanf:"audience"`
	// AudienceClaim is the claim with the audience: aud (if empty), client_id or azp.
	AudienceClaim string `koanf:"audience_claim"`
	// RequiredClaims are claims, by name or path, with the value that each has to have.
	RequiredClaims map[string]any `koanf:"required_claims"`
	// SubjectClaim is the claim with the subject; empty: sub.
	SubjectClaim string `koanf:"subject_claim"`
	// RolePath, GroupsPath and ScopePath are the paths of the claims with roles, groups and scopes, such as realm_access.roles.
	RolePath   string `koanf:"role_path"`
	GroupsPath string `koanf:"groups_path"`
	ScopePath  string `koanf:"scope_path"`
	// JWKSURL is the URL of the issuer's JWK Set; empty: {issuer}/api/v1/auth/jwks.
	JWKSURL string `koanf:"jwks_url"`
	// JWKSEndpoint is another name of JWKSURL.
	JWKSEndpoint string `koanf:"jwks_endpoint"`
	// Discovery takes the URL of the JWK Set from the issuer's metadata (RFC 8414) instead of JWKSURL.
	Discovery bool `koanf:"discovery"`
	// JWKSTTLSeconds is the time for which keys are used if the issuer's reply has no max-age.
	JWKSTTLSeconds int `koanf:"jwks_ttl_seconds"`
	// AcceptedAlgorithms are the allowed algorithms; empty: those of the issuer's keys, each for its own key only. A key without
	// alg allows all of its type and curve: RS256, RS384, RS512 and PS256; ES256 or ES384; EdDSA.
	AcceptedAlgorithms []string `koanf:"accepted_algorithms"`
	// RevocationEndpoint is the URL of the denylist; empty: none.
	RevocationEndpoint string `koanf:"revocation_endpoint"`
	// RevocationTTLSeconds is the maximum age of the denylist, and so the maximum time until a revocation takes effect.
	RevocationTTLSeconds int `koanf:"revocation_ttl_seconds"`
	// RevocationBearer is the bearer token for reading the denylist.
	RevocationBearer string `koanf:"revocation_bearer"`
	// RevocationSecret is the value of the header X-Fleet-Secret for reading the denylist.
	RevocationSecret string `koanf:"revocation_secret"`
	// RevocationClientID and RevocationClientSecret are the credentials of an OAuth client with denylist: true, for reading the
	// denylist with HTTP Basic.
	RevocationClientID     string `koanf:"revocation_client_id"`
	RevocationClientSecret string `koanf:"revocation_client_secret"`
	// RevocationFailOpen accepts tokens while the denylist is unavailable.
	RevocationFailOpen bool `koanf:"revocation_fail_open"`
}

// Default values.
const (
	defaultKeysTTLSeconds       = 300
	defaultRevocationTTLSeconds = 15
	defaultLeewaySeconds        = 60 // covers server_auth.clock_skew_seconds
)

// DefaultSettings returns the default settings.
func DefaultSettings() Settings {
	return Settings{IssuerSettings: IssuerSettings{}.withDefaults(), Enabled: true, LeewaySeconds: defaultLeewaySeconds, TokenCacheSize: 10_000,
		DPoPAlgorithms: verify.DefaultProofAlgorithms(), DPoPCacheSize: verify.DefaultProofCacheSize}
}

// Validate checks every value. It does not check whether an issuer is missing, because that depends on whether one runs in the
// same app.
func (s Settings) Validate() error {
	_, noCAFile := verify.ClientTrusting(s.CAFile)
	_, noProofStorage := newRedisProofs(s, nil)
	problems := []error{
		config.CheckTexts("", s),
		config.CheckRange("leeway_seconds", s.LeewaySeconds, 0, 600),
		config.CheckRange("dpop_cache_size", s.DPoPCacheSize, 1, 10_000_000),
		noProofStorage,
		checkPublicURL(s.PublicURL),
		s.checkResource(),
		config.CheckRange("token_cache_size", s.TokenCacheSize, 0, 10_000_000),
		faultOf("ca_file", noCAFile),
		s.IssuerSettings.validate("", s.InsecureAllowHTTP),
	}
	for i, alg := range s.DPoPAlgorithms {
		problems = append(problems, config.CheckOneOf(fmt.Sprintf("dpop_algorithms[%d]", i), alg, jose.Algorithms()...))
	}
	listed := map[string]bool{s.Issuer: s.Issuer != ""}
	for i, issuer := range s.Issuers {
		problems = append(problems, config.CheckTexts(listKey(i, ""), issuer), issuer.withDefaults().validate(listKey(i, ""), s.InsecureAllowHTTP))
		if listed[issuer.Issuer] {
			problems = append(problems, &config.Error{Key: listKey(i, "issuer"), Reason: fmt.Sprintf("%q is trusted twice", config.WithoutUserinfo(issuer.Issuer))})
		}
		listed[issuer.Issuer] = issuer.Issuer != ""
	}
	return errors.Join(problems...)
}

// checkPublicURL accepts an http or https URL without a query, or an empty text.
func checkPublicURL(text string) error {
	u, err := url.Parse(text)
	if text == "" || err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && !strings.ContainsAny(text, "?#") {
		return nil
	}
	return &config.Error{Key: "public_url", Reason: "is not a URL such as https://api.example.com"}
}

// faultOf returns the fault of a key, or nil without an error.
func faultOf(key string, err error) error {
	if err == nil {
		return nil
	}
	return &config.Error{Key: key, Reason: strings.TrimPrefix(err.Error(), "clientauth: ")}
}

// dpop returns the configuration of proof validation for the app of e. used may be nil.
func (s Settings) dpop(e *echo.Echo, used *redisProofs) verify.DPoPConfig {
	origin := OriginOf(e)
	c := verify.DPoPConfig{Required: s.RequireDPoP, Algorithms: s.DPoPAlgorithms, CacheSize: s.DPoPCacheSize, Nonces: s.DPoPNonce,
		Origins: func(r *http.Request) []string { return []string{cmp.Or(s.PublicURL, origin(r))} }}
	if used != nil {
		c.Used, c.NonceKey = used, used.NonceKey
	}
	return c
}

// Leeway is LeewaySeconds as a duration.
func (s Settings) Leeway() time.Duration { return time.Duration(s.LeewaySeconds) * time.Second }

func (i IssuerSettings) withDefaults() IssuerSettings {
	i.JWKSTTLSeconds = cmp.Or(i.JWKSTTLSeconds, defaultKeysTTLSeconds)
	i.RevocationTTLSeconds = cmp.Or(i.RevocationTTLSeconds, defaultRevocationTTLSeconds)
	return i
}

// validate checks the settings. The errors name keys with the prefix. insecure allows http for keys and denylist.
func (i IssuerSettings) validate(prefix string, insecure bool) error {
	_, claims := config.FlatTexts(prefix+"required_claims", i.RequiredClaims)
	problems := []error{
		i.checkIssuer(prefix),
		config.CheckOneOf(prefix+"audience_claim", i.AudienceClaim, "", "aud", "client_id", "azp"),
		config.CheckRange(prefix+"jwks_ttl_seconds", i.JWKSTTLSeconds, 1, 86_400),
		config.CheckRange(prefix+"revocation_ttl_seconds", i.RevocationTTLSeconds, 1, 3600),
	}
	for _, audience := range i.Audience {
		if strings.Contains(audience, ",") {
			problems = append(problems, &config.Error{Key: prefix + "audience", Reason: fmt.Sprintf(
				"is one text with commas, so it is one audience: %q; for several audiences, write a list in an entry of auth_client.issuers", config.WithoutUserinfo(audience))})
		}
	}
	for n, alg := range i.AcceptedAlgorithms {
		problems = append(problems, config.CheckOneOf(fmt.Sprintf("%saccepted_algorithms[%d]", prefix, n), alg, jose.Algorithms()...))
	}
	if i.JWKSURL != "" && i.JWKSEndpoint != "" && i.JWKSURL != i.JWKSEndpoint {
		problems = append(problems, &config.Error{Key: prefix + "jwks_endpoint", Reason: "differs from jwks_url; both names are of the same setting, so set only one of them"})
	}
	problems = append(problems, i.checkCredentials(prefix), claims, i.checkEndpoints(prefix, insecure),
		config.CheckOneValue(prefix+"subject_claim", i.SubjectClaim), config.CheckOneValue(prefix+"role_path", i.RolePath),
		config.CheckOneValue(prefix+"groups_path", i.GroupsPath), config.CheckOneValue(prefix+"scope_path", i.ScopePath))
	return errors.Join(problems...)
}

// checkCredentials allows one kind of credentials for the denylist, which has to be complete.
func (i IssuerSettings) checkCredentials(prefix string) error {
	var problems []error
	if i.RevocationBearer != "" && i.RevocationSecret != "" {
		problems = append(problems, &config.Error{Key: prefix + "revocation_secret", Reason: "is set together with revocation_bearer; set only one of them"})
	}
	if i.RevocationClientID != "" && i.RevocationBearer+i.RevocationSecret != "" {
		problems = append(problems, &config.Error{Key: prefix + "revocation_client_id", Reason: "is set together with revocation_bearer or revocation_secret; set only one kind of credentials"})
	}
	switch {
	case i.RevocationClientID != "" && i.RevocationClientSecret == "":
		problems = append(problems, &config.Error{Key: prefix + "revocation_client_secret", Reason: "must not be empty if revocation_client_id is set"})
	case i.RevocationClientID == "" && i.RevocationClientSecret != "":
		problems = append(problems, &config.Error{Key: prefix + "revocation_client_id", Reason: "must not be empty if revocation_client_secret is set"})
	}
	problems = append(problems, checkHeaderValue(prefix+"revocation_bearer", i.RevocationBearer, '!'), checkHeaderValue(prefix+"revocation_secret", i.RevocationSecret, ' '))
	return errors.Join(problems...)
}

// checkIssuer checks that Issuer, Tenants and Discovery fit together. It refuses a list, and a template such as
// https://login.example.com/{tenantid}/v2.0 without tenants, because no token has such an iss.
func (i IssuerSettings) checkIssuer(prefix string) error {
	switch {
	case len(i.Tenants) > 0 && i.JWKSURL+i.JWKSEndpoint == "":
		return &config.Error{Key: prefix + "jwks_url", Reason: "must not be empty if tenants is set"}
	case len(i.Tenants) > 0 && i.Discovery:
		return &config.Error{Key: prefix + "discovery", Reason: "cannot be used together with tenants"}
	case i.Discovery && i.JWKSURL+i.JWKSEndpoint != "":
		return &config.Error{Key: prefix + "jwks_url", Reason: "is set together with discovery; set only one of them"}
	case len(i.Tenants) == 0 && strings.ContainsAny(i.Issuer, "{}"):
		return &config.Error{Key: prefix + "issuer",
			Reason: fmt.Sprintf("%q is a template, which no token has as its issuer; write {tenant} in it and set tenants", config.WithoutUserinfo(i.Issuer))}
	case len(i.Tenants) > 0: // by the validator's own rules; audience and keys are checked elsewhere
		if err := (TrustedIssuer{Issuer: i.Issuer, Tenants: i.Tenants, Audience: i.Issuer, Keys: NewKeyMap()}).Validate(); err != nil {
			return &config.Error{Key: prefix + "issuer", Reason: config.WithoutUserinfo(strings.TrimPrefix(err.Error(), "clientauth: "))}
		}
	}
	return config.CheckOneValue(prefix+"issuer", i.Issuer)
}

// checkEndpoints checks the URLs for the keys and the denylist, if there is an Issuer. Issuer itself may be an http URL: the issuer
// may run in the same app, and then its keys are not fetched. Whether it does is not known here.
func (i IssuerSettings) checkEndpoints(prefix string, insecure bool) error {
	if i.Issuer == "" {
		return nil
	}
	var problems []error
	checkKeys := func(key, url string, insecure bool) {
		_, err := NewRemoteKeySet(RemoteKeySetConfig{URL: url, InsecureAllowHTTP: insecure})
		problems = append(problems, faultOf(prefix+key, err))
	}
	switch {
	case i.JWKSURL != "":
		checkKeys("jwks_url", i.JWKSURL, insecure)
	case i.JWKSEndpoint != "":
		checkKeys("jwks_endpoint", i.JWKSEndpoint, insecure)
	case len(i.Tenants) == 0:
		checkKeys("issuer", i.Issuer, true)
	}
	if i.RevocationEndpoint != "" {
		_, err := NewRemoteDenylist(RemoteDenylistConfig{URL: i.RevocationEndpoint, InsecureAllowHTTP: insecure})
		problems = append(problems, faultOf(prefix+"revocation_endpoint", err))
	}
	return errors.Join(problems...)
}

// checkHeaderValue checks a secret that is sent in a header. The error does not contain it. least is the first character that is
// allowed: a space may be in a fleet secret, but not in a bearer token. (An OAuth client's id and secret are sent encoded.)
func checkHeaderValue(key, value string, least rune) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r < least || r > '~' }) {
		return &config.Error{Key: key, Reason: "has a character that is not allowed in an HTTP header"}
	}
	return nil
}

// jwksURL returns the URL of the JWK Set.
func (i IssuerSettings) jwksURL() string {
	return cmp.Or(i.JWKSURL, i.JWKSEndpoint, strings.TrimRight(i.Issuer, "/")+"/api/v1/auth/jwks")
}
