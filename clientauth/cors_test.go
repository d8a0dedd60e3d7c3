package clientauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// An app that answers CORS by itself does so behind clientauth: browsers send no token with a preflight.
func TestAnAppsOwnCORSAnswersThePreflightOfAProtectedRoute(t *testing.T) {
	const origin = "https://app.example"
	s := signers()[jose.RS256]
	jwks := newServer(t, serveKeys([]signer{s}))
	h := newHost(newClock(), map[string]any{"issuer": issuerName, "audience": audience, "jwks_url": jwks.URL})
	startHost(t, h)
	h.echo.Use(middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins: []string{origin}, AllowHeaders: []string{echo.HeaderAuthorization}, AllowMethods: []string{http.MethodGet},
	}))
	preflight := func(from string) *httptest.ResponseRecorder {
		return call(h.echo, "OPTIONS", "/me", "Origin", from, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
	}
	for name, want := range map[string]string{"Allow-Origin": origin, "Allow-Methods": "GET", "Allow-Headers": "Authorization"} {
		if w := preflight(origin); w.Code != http.StatusNoContent || w.Header().Get("Access-Control-"+name) != want {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	if w := preflight("https://evil.example"); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %d %v", w.Code, w.Header())
	}
	bearer := "Bearer " + s.Token(claims(nil))
	if w := call(h.echo, "GET", "/me", "Origin", origin, "Authorization", bearer); w.Code != http.StatusOK || w.Header().Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("the request: %d %v", w.Code, w.Header())
	}
	if w := call(h.echo, "GET", "/me", "Origin", origin); w.Code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", w.Code)
	}
	if w := call(h.echo, "OPTIONS", "/me", "Origin", origin); w.Code != http.StatusUnauthorized {
		t.Errorf("OPTIONS that is no preflight: %d", w.Code)
	}
}
