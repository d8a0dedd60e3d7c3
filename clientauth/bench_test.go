package clientauth_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/clientauth"
)

// BenchmarkRequest is a request through echo to an open and to a protected route.
func BenchmarkRequest(b *testing.B) {
	for _, mode := range []string{"open", "cached", "cached, a million revoked"} {
		index := clientauth.NewRevocationIndex()
		if strings.Contains(mode, "million") {
			for i := range 1_000_000 {
				index.Apply(clientauth.Revocation{JTI: strconv.Itoa(i)})
			}
		}
		site := newSite(b, func(c *clientauth.ValidatorConfig) { c.Issuers[0].Denylist = index })
		nothing := func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
		site.policy.AllowAnonymous(site.GET("/bench-open", nothing))
		site.GET("/bench", nothing)
		path := "/bench"
		if mode == "open" {
			path = "/bench-open"
		}
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+site.signer.Token(walletClaims()))
		b.Run(mode, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				site.ServeHTTP(w, r)
				if w.Code != http.StatusNoContent {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
