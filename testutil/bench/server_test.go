package bench_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

const (
	audience      = "pico"
	adminPassword = "correct horse battery staple"
)

// classical are the algorithms that every JOSE library knows, of those that serverauth signs with.
var classical = []string{jose.RS256, jose.ES256, jose.EdDSA}

// server is the whole auth server, whose issuer is the URL that it is at.
type server struct {
	*testutil.App
	// jwks is where every key is; classicalJWKS is what discovery tells: without post-quantum ones.
	jwks, classicalJWKS string
	// tokens are the access tokens of a wallet and of the admin, and a refresh token.
	tokens map[string]string
}

func newServer(t *testing.T, algorithm string) *server {
	t.Helper()
	port := services.FreePort(t)
	url := "http://127.0.0.1:" + strconv.Itoa(port)
	s := &server{App: testutil.NewApp(t, serverauth.Module, clientauth.Module, app.ConfigMap(map[string]any{
		"app": map[string]any{"port": port},
		"server_auth": map[string]any{"issuer": url, "audience": audience, "algorithm": algorithm,
			"auto_create_admin": true, "admin_password": adminPassword},
	}))}
	require.Equal(t, url, s.URL)
	s.jwks = url + serverauth.Prefix + "/jwks"
	s.classicalJWKS = s.jwks + "?kty=RSA,EC,OKP"

	wallet, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	in, err := testutil.SignIn(t.Context(), url, wallet)
	require.NoError(t, err)
	var admin serverauth.Tokens
	login := map[string]string{"email": "admin@pico.local", "password": adminPassword}
	require.NoError(t, testutil.Post(t.Context(), url+serverauth.Prefix+"/login", login, &admin))
	s.tokens = map[string]string{"wallet": in.AccessToken, "admin": admin.AccessToken, "refresh": in.RefreshToken}
	return s
}

// question asks about all tokens of the server.
func (s *server) question(jwks string) question {
	return question{Issuer: s.URL, Audience: audience, JWKS: jwks, Tokens: s.tokens}
}

// flawedTokens are a good token, "good", and one for each flaw, of a fake issuer.
func flawedTokens(issuer *testutil.Issuer, algorithm string) map[string]string {
	tokens := map[string]string{"good": issuer.Mint(testutil.Token{Algorithm: algorithm})}
	for _, flaw := range testutil.Flaws() {
		tokens[string(flaw)] = issuer.Mint(testutil.Token{Algorithm: algorithm, Flaw: flaw})
	}
	return tokens
}

// protected is a service that trusts one issuer by a configuration of two lines.
func protected(t *testing.T, issuer string) *testutil.App {
	t.Helper()
	return testutil.NewApp(t, clientauth.Module, fx.Invoke(func(e *echo.Echo) {
		e.GET("/me", func(c echo.Context) error {
			caller, _ := clientauth.FromContext(c.Request().Context())
			return c.JSON(http.StatusOK, map[string]string{"subject": caller.Subject, "role": caller.Role})
		})
	}), app.ConfigMap(map[string]any{"auth_client": map[string]any{"issuer": issuer, "audience": audience}}))
}
