package testutil_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/testutil"
)

var epoch = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

// fixture is an issuer with a validator that trusts it, both by one clock.
type fixture struct {
	*testutil.Issuer
	*clientauth.TokenValidator
	clock *testutil.Clock
}

func newFixture(t *testing.T, algorithms ...string) fixture {
	t.Helper()
	clock := testutil.NewClock(epoch)
	if len(algorithms) == 0 {
		algorithms = []string{jose.EdDSA}
	}
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: algorithms, Clock: clock.Now})
	return fixture{issuer, newValidator(t, clock, issuer.TrustedIssuer()), clock}
}

func newValidator(t *testing.T, clock *testutil.Clock, issuers ...clientauth.TrustedIssuer) *clientauth.TokenValidator {
	t.Helper()
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{Issuers: issuers, Leeway: 30 * time.Second,
		CacheSize: 100, Clock: clock.Now})
	require.NoError(t, err)
	return validator
}

func (b fixture) check(t *testing.T, token string) error {
	t.Helper()
	_, err := b.Validate(t.Context(), token)
	return err
}

func TestEveryAlgorithmIsIssuedAndAccepted(t *testing.T) {
	b := newFixture(t, jose.Algorithms()...)
	for _, algorithm := range jose.Algorithms() {
		token := b.Mint(testutil.Token{Algorithm: algorithm, Subject: "bob", Role: "editor", Life: time.Minute})
		caller, err := b.Validate(t.Context(), token)
		require.NoError(t, err, algorithm)
		assert.Equal(t, "bob", caller.Subject)
		assert.Equal(t, []string{"editor"}, caller.Roles)
		assert.Equal(t, []string{"pico"}, caller.Audience)
		assert.Equal(t, epoch.Add(time.Minute), caller.ExpiresAt)
		assert.NotEmpty(t, caller.TokenID)
		assert.NotEmpty(t, caller.SessionID)
	}
	assert.Equal(t, 1, b.JWKS.Requests())
	assert.Equal(t, 1, b.Denylist.Requests())
}

func TestEveryFlawIsRefused(t *testing.T) {
	algorithms := []string{jose.RS256, jose.ES256, jose.EdDSA, jose.MLDSA65}
	b := newFixture(t, algorithms...)
	reasons := map[testutil.Flaw]error{
		testutil.Expired:           clientauth.ErrTokenExpired,
		testutil.NotYetValid:       clientauth.ErrTokenNotYetValid,
		testutil.NoExpiry:          clientauth.ErrMalformedToken,
		testutil.WrongAudience:     clientauth.ErrWrongAudience,
		testutil.WrongIssuer:       clientauth.ErrUnknownIssuer,
		testutil.RefreshToken:      clientauth.ErrTokenType,
		testutil.Unsigned:          clientauth.ErrMalformedToken,
		testutil.SymmetricKey:      clientauth.ErrUnsupportedAlgorithm,
		testutil.UnknownKey:        clientauth.ErrUnknownKey,
		testutil.StolenKeyID:       clientauth.ErrInvalidSignature,
		testutil.EmbeddedKey:       clientauth.ErrUnknownKey,
		testutil.TamperedClaims:    clientauth.ErrInvalidSignature,
		testutil.TamperedSignature: clientauth.ErrInvalidSignature,
		testutil.UnknownExtension:  clientauth.ErrMalformedToken,
	}
	require.Len(t, testutil.Flaws(), len(reasons))
	for _, flaw := range testutil.Flaws() {
		for _, algorithm := range algorithms {
			err := b.check(t, b.Mint(testutil.Token{Algorithm: algorithm, Flaw: flaw}))
			assert.ErrorIs(t, err, clientauth.ErrInvalidToken, "%s, %s", flaw, algorithm)
			assert.ErrorIs(t, err, reasons[flaw], "%s, %s", flaw, algorithm)
		}
	}
}

func TestATokenSaysWhatATestWants(t *testing.T) {
	b := newFixture(t)
	token := b.Mint(testutil.Token{
		Claims: map[string]any{"scope": "read write", "groups": []string{"staff"}, "sid": nil, "nested": map[string]any{"n": 1}},
		Header: map[string]any{"typ": "JWT", "kid": nil},
	})
	caller, err := b.Validate(t.Context(), token)
	require.NoError(t, err)
	assert.Equal(t, []string{"read", "write"}, caller.Scopes)
	assert.Equal(t, []string{"staff"}, caller.Groups)
	assert.Empty(t, caller.SessionID)
	assert.NotContains(t, caller.Claims, "sid")
	parts, err := jose.ParseCompact(token)
	require.NoError(t, err)
	assert.Equal(t, "JWT", parts.Type)
	assert.Empty(t, parts.KeyID)

	agent, err := b.ValidateAgent(t.Context(), b.Mint(testutil.Token{Claims: map[string]any{"agent_id": "a", "scopes": []string{"x:*"}}}))
	require.NoError(t, err)
	assert.True(t, agent.HasScope("x:y"))

	twice := b.MintRaw("", `{"alg":"EdDSA","kid":"`+b.KeyID("")+`"}`, `{"sub":"a","sub":"b"}`)
	assert.ErrorIs(t, b.check(t, twice), clientauth.ErrMalformedToken)
}

func TestRotation(t *testing.T) {
	b := newFixture(t, jose.EdDSA, jose.RS256)
	old, kid := b.Mint(testutil.Token{Life: time.Hour}), b.KeyID("")
	require.NoError(t, b.check(t, old))
	b.Rotate()
	assert.NotEqual(t, kid, b.KeyID(""))
	require.NoError(t, b.check(t, b.Mint(testutil.Token{})))
	require.NoError(t, b.check(t, b.Mint(testutil.Token{Algorithm: jose.RS256})))
	require.NoError(t, b.check(t, old), "the old key is still published")
	assert.Equal(t, 2, b.JWKS.Requests())

	b.DropOldKeys()
	require.NoError(t, b.check(t, old), "the cache still has it")
	b.clock.Advance(10 * time.Minute)
	assert.ErrorIs(t, b.check(t, old), clientauth.ErrUnknownKey)
}

func TestACompromisedKeyIsRefusedByTheDenylist(t *testing.T) {
	b := newFixture(t)
	old := b.Mint(testutil.Token{})
	require.NoError(t, b.check(t, old))
	b.Compromise()
	b.clock.Advance(15 * time.Second)
	assert.ErrorIs(t, b.check(t, old), clientauth.ErrTokenRevoked, "before its key is missed in the JWKS")
	require.NoError(t, b.check(t, b.Mint(testutil.Token{})))
}

func TestRevocation(t *testing.T) {
	for name, revoke := range map[string]func(fixture, string, *clientauth.SecurityContext){
		"the token": func(b fixture, token string, _ *clientauth.SecurityContext) { b.RevokeToken(token) },
		"its jti": func(b fixture, _ string, c *clientauth.SecurityContext) {
			b.Revoke(clientauth.Revocation{JTI: c.TokenID})
		},
		"its session": func(b fixture, _ string, c *clientauth.SecurityContext) {
			b.Revoke(clientauth.Revocation{SID: c.SessionID})
		},
		"its subject": func(b fixture, _ string, c *clientauth.SecurityContext) {
			b.Revoke(clientauth.Revocation{Sub: c.Subject})
		},
		"its key": func(b fixture, _ string, _ *clientauth.SecurityContext) {
			b.Revoke(clientauth.Revocation{KID: b.KeyID("")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			token := b.Mint(testutil.Token{})
			caller, err := b.Validate(t.Context(), token)
			require.NoError(t, err)
			b.Revoke(clientauth.Revocation{JTI: "another"})
			b.clock.Advance(15 * time.Second)
			require.NoError(t, b.check(t, token))
			revoke(b, token, caller)
			require.NoError(t, b.check(t, token), "the list is cached for 15 s")
			b.clock.Advance(15 * time.Second)
			assert.ErrorIs(t, b.check(t, token), clientauth.ErrTokenRevoked)
			assert.Equal(t, 3, b.Denylist.Requests())
		})
	}
}

func TestClockSkew(t *testing.T) {
	b := newFixture(t)
	for skew, want := range map[time.Duration]error{
		20 * time.Second: nil, time.Minute: clientauth.ErrTokenNotYetValid, -time.Minute: nil, -time.Hour: clientauth.ErrTokenExpired,
	} {
		b.Skew(skew)
		assert.ErrorIs(t, b.check(t, b.Mint(testutil.Token{})), want, skew)
	}
}

func routes(e *echo.Echo, policy *clientauth.Policy) {
	who := func(c echo.Context) error {
		caller, known := clientauth.FromContext(c.Request().Context())
		if !known {
			return c.JSON(http.StatusOK, "nobody")
		}
		return c.JSON(http.StatusOK, caller.Subject)
	}
	e.GET("/me", who)
	e.GET("/admin", who, clientauth.RequireRole("admin"))
	policy.AllowAnonymous(e.GET("/", who))
}

func status(err error) int {
	var refused *testutil.StatusError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &refused):
		return refused.Status
	default:
		return 0
	}
}

func TestAnAppOfTheModuleTrustsTheIssuer(t *testing.T) {
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Name: "https://tenant.example.com/", Audience: "api"})
	running := testutil.NewApp(t, clientauth.Module, testutil.WithIssuer(issuer), fx.Invoke(routes))
	get := func(path, token string) int {
		var subject string
		return status(testutil.Get(t.Context(), running.URL+path, token, &subject))
	}
	user := issuer.Mint(testutil.Token{})
	assert.Equal(t, 200, get("/", ""))
	assert.Equal(t, 401, get("/me", ""))
	assert.Equal(t, 200, get("/me", user))
	assert.Equal(t, 403, get("/admin", user))
	assert.Equal(t, 200, get("/admin", issuer.Mint(testutil.Token{Role: "admin"})))
	for _, flaw := range testutil.Flaws() {
		assert.Equal(t, 401, get("/me", issuer.Mint(testutil.Token{Role: "admin", Flaw: flaw})), flaw)
	}
	assert.LessOrEqual(t, issuer.JWKS.Requests(), 3, "the first, one for the unknown key ids, and one for the bad signatures")
}

func TestKeysReplacedUnderTheirKids(t *testing.T) {
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{jose.ES256, jose.RS256}})
	running := testutil.NewApp(t, clientauth.Module, testutil.WithIssuer(issuer), fx.Invoke(routes))
	me := func(token string) int { return status(testutil.Get(t.Context(), running.URL+"/me", token, nil)) }
	old, kid := issuer.Mint(testutil.Token{}), issuer.KeyID("")
	assert.Equal(t, 200, me(old))
	issuer.ReplaceKeys()
	assert.Equal(t, kid, issuer.KeyID(""))
	assert.Equal(t, 200, me(issuer.Mint(testutil.Token{})))
	assert.Equal(t, 200, me(issuer.Mint(testutil.Token{Algorithm: jose.RS256})))
	assert.Equal(t, 401, me(old))
	assert.Equal(t, 2, issuer.JWKS.Requests(), "the first, and one for the first bad signature")
}

func TestSettingsAreAnEntryOfTheListToo(t *testing.T) {
	one := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{jose.ES256}})
	two := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{jose.EdDSA}, Audience: "two"})
	running := testutil.NewApp(t, clientauth.Module, fx.Invoke(routes), app.ConfigMap(map[string]any{
		"auth_client": map[string]any{"issuers": []any{one.Settings(), two.Settings()}}}))
	for _, issuer := range []*testutil.Issuer{one, two} {
		assert.Equal(t, 200, status(testutil.Get(t.Context(), running.URL+"/me", issuer.Mint(testutil.Token{}), nil)))
	}
	impostor := two.Mint(testutil.Token{Claims: map[string]any{"iss": one.Name, "aud": one.Audience}})
	assert.Equal(t, 401, status(testutil.Get(t.Context(), running.URL+"/me", impostor, nil)))
}

// A service starts while its issuer is down, answers 503, and recovers.
func TestAServiceOutlivesAnOutage(t *testing.T) {
	clock := testutil.NewClock(epoch)
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{jose.ES256}, Clock: clock.Now})
	issuer.JWKS.Break(testutil.Outage())
	issuer.Denylist.Break(testutil.StatusCode(http.StatusBadGateway))
	running := testutil.NewApp(t, clientauth.Module, testutil.WithIssuer(issuer), testutil.WithClock(clock), fx.Invoke(routes))
	token := issuer.Mint(testutil.Token{})
	ask := func() int { return status(testutil.Get(t.Context(), running.URL+"/me", token, nil)) }
	assert.Equal(t, 503, ask(), "no keys")
	issuer.JWKS.Heal()
	clock.Advance(time.Second)
	assert.Equal(t, 503, ask(), "no denylist")
	issuer.Denylist.Heal()
	clock.Advance(time.Second)
	assert.Equal(t, 200, ask())
	issuer.JWKS.Break(testutil.Outage())
	clock.Advance(10 * time.Minute)
	assert.Equal(t, 200, ask(), "old keys")
}
