package app_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

func TestCORS(t *testing.T) {
	const listed, other = "https://app.example", "https://evil.example"
	preflight := map[string]string{"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
	tests := []struct {
		name    string
		origins []string
		method  string
		origin  string
		header  map[string]string
		status  int // 401: it went on to what guards the routes
		allowed string
	}{
		{"preflight", []string{listed}, "OPTIONS", listed, preflight, 204, listed},
		{"preflight of another origin", []string{listed}, "OPTIONS", other, preflight, 204, ""},
		{"preflight, any origin", []string{"*"}, "OPTIONS", other, preflight, 204, "*"},
		{"preflight where CORS is off", nil, "OPTIONS", listed, preflight, 401, ""},
		{"OPTIONS without a method", []string{listed}, "OPTIONS", listed, nil, 401, listed},
		{"OPTIONS without an origin", []string{listed}, "OPTIONS", "", preflight, 401, ""},
		{"request", []string{listed}, "GET", listed, nil, 401, listed},
		{"request with a preflight's header", []string{listed}, "GET", listed, preflight, 401, listed},
		{"request of another origin", []string{listed}, "GET", other, nil, 401, ""},
		{"request of a longer origin", []string{listed}, "GET", listed + ".evil.example", nil, 401, ""},
		{"request of no origin", []string{"*"}, "GET", "", nil, 401, ""},
		{"request where CORS is off", nil, "GET", listed, nil, 401, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, _ := newEcho(t, func(s *app.Settings) { s.CORSOrigins = test.origins })
			e.Use(func(echo.HandlerFunc) echo.HandlerFunc {
				return func(echo.Context) error { return echo.ErrUnauthorized }
			})
			r := httptest.NewRequest(test.method, "/", nil)
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			for name, value := range test.header {
				r.Header.Set(name, value)
			}
			w := request(e, r)
			header := w.Header()
			if w.Code != test.status || header.Get("Access-Control-Allow-Origin") != test.allowed {
				t.Errorf("got %d, origin %q", w.Code, header.Get("Access-Control-Allow-Origin"))
			}
			granted := test.status == http.StatusNoContent && test.allowed != ""
			if (header.Get("Access-Control-Allow-Headers") == "authorization") != granted || (header.Get("Access-Control-Allow-Methods") != "") != granted {
				t.Errorf("headers %v", header)
			}
			if (header.Get("Vary") == "Origin") != (test.origins != nil) || header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("headers %v", header)
			}
		})
	}
}
