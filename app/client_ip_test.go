package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

func TestClientIP(t *testing.T) {
	tests := []struct {
		name      string
		proxies   string
		peer      string
		forwarded []string
		want      string
	}{
		{"no proxy", "", "192.0.2.1:1234", nil, "192.0.2.1"},
		{"no proxy, forged header", "", "192.0.2.1:1234", []string{"198.51.100.9"}, "192.0.2.1"},
		{"no proxy, loopback peer", "", "127.0.0.1:1234", []string{"198.51.100.9"}, "127.0.0.1"},
		{"no proxy, IPv6", "", "[2001:db8::1]:1234", nil, "2001:db8::1"},
		{"peer is not the proxy", "10.0.0.0/8", "192.0.2.1:1234", []string{"198.51.100.9"}, "192.0.2.1"},
		{"private peer is not the proxy", "10.0.0.1", "10.0.0.2:1234", []string{"198.51.100.9"}, "10.0.0.2"},
		{"proxy", "10.0.0.0/8", "10.1.2.3:1234", []string{"198.51.100.9"}, "198.51.100.9"},
		{"single address", "10.1.2.3", "10.1.2.3:1234", []string{"198.51.100.9"}, "198.51.100.9"},
		{"proxy without the header", "10.0.0.0/8", "10.1.2.3:1234", nil, "10.1.2.3"},
		{"forged entry before the proxy's", "10.0.0.0/8", "10.1.2.3:1234", []string{"203.0.113.5, 198.51.100.9"}, "198.51.100.9"},
		{"forged header before the proxy's", "10.0.0.0/8", "10.1.2.3:1234", []string{"203.0.113.5", "198.51.100.9"}, "198.51.100.9"},
		{"forged rubbish before the proxy's", "10.0.0.0/8", "10.1.2.3:1234", []string{"rubbish, 198.51.100.9"}, "198.51.100.9"},
		{"two proxies", "10.0.0.0/8,192.0.2.7", "10.1.2.3:1234", []string{"198.51.100.9, 192.0.2.7"}, "198.51.100.9"},
		{"rubbish from the proxy", "10.0.0.0/8", "10.1.2.3:1234", []string{"unknown"}, "10.1.2.3"},
		{"IPv6 client", "10.0.0.0/8", "10.1.2.3:1234", []string{"2001:DB8::1"}, "2001:db8::1"},
		{"IPv6 proxy", "fd00::/8", "[fd00::1]:1234", []string{"198.51.100.9"}, "198.51.100.9"},
		{"mapped IPv4 of the proxy", "10.0.0.0/8", "[::ffff:10.1.2.3]:1234", []string{"198.51.100.9"}, "198.51.100.9"},
		{"another header", "10.0.0.0/8", "10.1.2.3:1234", nil, "10.1.2.3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, _ := newEcho(t, func(s *app.Settings) {
				if test.proxies != "" {
					s.TrustedProxies = strings.Split(test.proxies, ",")
				}
			})
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.peer
			r.Header["X-Forwarded-For"] = test.forwarded
			r.Header.Set("X-Real-IP", "203.0.113.66")
			if got := app.ClientIP(e.NewContext(r, nil)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestClientIPOnAnEchoWithoutExtractor(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-For", "203.0.113.5")
	r.Header.Set("X-Real-IP", "203.0.113.66")
	if got := app.ClientIP(echo.New().NewContext(r, nil)); got != "192.0.2.1" {
		t.Errorf("believes a forged header: %s", got)
	}
}
