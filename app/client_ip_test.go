package app_test

import (
	"log/slog"
	"net"
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
		{"a port", "10.0.0.0/8", "10.1.2.3:1234", []string{"203.0.113.7:51234"}, "203.0.113.7"},
		{"a port that is empty", "10.0.0.0/8", "10.1.2.3:1234", []string{"203.0.113.7:"}, "203.0.113.7"},
		{"a port, and a proxy with one", "10.0.0.0/8", "10.1.2.3:1234", []string{"203.0.113.5:1, 203.0.113.7:51234,10.0.0.9:80"}, "203.0.113.7"},
		{"quoted", "10.0.0.0/8", "10.1.2.3:1234", []string{`"203.0.113.7"`}, "203.0.113.7"},
		{"quoted with a port", "10.0.0.0/8", "10.1.2.3:1234", []string{` "203.0.113.7:51234" `}, "203.0.113.7"},
		{"brackets", "10.0.0.0/8", "10.1.2.3:1234", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"brackets and a port", "10.0.0.0/8", "10.1.2.3:1234", []string{"[2001:DB8::1]:443"}, "2001:db8::1"},
		{"quoted brackets", "10.0.0.0/8", "10.1.2.3:1234", []string{`"[2001:db8::1]:443"`}, "2001:db8::1"},
		{"mapped IPv4 client", "10.0.0.0/8", "10.1.2.3:1234", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"mapped IPv4 of a second proxy", "10.0.0.0/8", "10.1.2.3:1234", []string{"203.0.113.7, [::ffff:10.0.0.9]:80"}, "203.0.113.7"},
		{"link-local with a zone", "10.0.0.0/8", "10.1.2.3:1234", []string{"fe80::1%eth0"}, "fe80::1"},
		{"blanks and empty entries", "10.0.0.0/8", "10.1.2.3:1234", []string{" , 203.0.113.7 ,, "}, "203.0.113.7"},
		{"an empty header", "10.0.0.0/8", "10.1.2.3:1234", []string{""}, "10.1.2.3"},
		{"only proxies", "10.0.0.0/8", "10.1.2.3:1234", []string{"10.0.0.7, 10.0.0.8"}, "10.0.0.7"},
		{"rubbish behind a second proxy", "10.0.0.0/8", "10.1.2.3:1234", []string{"_hidden, 10.0.0.8"}, "10.0.0.8"},
		{"not a port", "10.0.0.0/8", "10.1.2.3:1234", []string{"203.0.113.7:http"}, "10.1.2.3"},
		{"a port of six digits", "10.0.0.0/8", "10.1.2.3:1234", []string{"203.0.113.7:123456"}, "10.1.2.3"},
		{"brackets around IPv4", "10.0.0.0/8", "10.1.2.3:1234", []string{"[203.0.113.7]"}, "10.1.2.3"},
		{"brackets that are not closed", "10.0.0.0/8", "10.1.2.3:1234", []string{"[2001:db8::1"}, "10.1.2.3"},
		{"text behind brackets", "10.0.0.0/8", "10.1.2.3:1234", []string{"[2001:db8::1]x"}, "10.1.2.3"},
		{"IPv6 client", "10.0.0.0/8", "10.1.2.3:1234", []string{"2001:DB8::1"}, "2001:db8::1"},
		{"IPv6 proxy", "fd00::/8", "[fd00::1]:1234", []string{"198.51.100.9"}, "198.51.100.9"},
		{"mapped IPv4 of the proxy", "10.0.0.0/8", "[::ffff:10.1.2.3]:1234", []string{"198.51.100.9"}, "198.51.100.9"},
		{"a mapped range", "::ffff:10.0.0.0/104", "10.1.2.3:1234", []string{"198.51.100.9"}, "198.51.100.9"},
		{"a mapped address", "::ffff:10.1.2.3", "[::ffff:10.1.2.3]:1234", []string{"198.51.100.9, 10.1.2.4"}, "10.1.2.4"},
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

func TestAForwardedHeaderThatCannotBeReadIsLoggedOnce(t *testing.T) {
	e, log := newEcho(t, func(s *app.Settings) { s.TrustedProxies = []string{"10.0.0.0/8"} })
	for range 100 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "10.1.2.3:1234"
		r.Header.Set("X-Forwarded-For", "unknown"+strings.Repeat("x", 1000))
		app.ClientIP(e.NewContext(r, nil))
	}
	if text := log.String(); strings.Count(text, "X-Forwarded-For cannot be parsed") != 1 || !strings.Contains(text, "10.1.2.3") || len(text) > 500 {
		t.Errorf("the log: %s", text)
	}
}

func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{"203.0.113.7:51234", `"[2001:db8::1]:443", 10.0.0.1`, "unknown", "[::1", "fe80::1%eth0", ",,", "::ffff:10.0.0.1"} {
		f.Add(seed)
	}
	e, err := app.NewEcho(func() app.Settings {
		s := app.DefaultSettings()
		s.TrustedProxies = []string{"10.0.0.0/8"}
		return s
	}(), slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "10.1.2.3:1234"
		r.Header["X-Forwarded-For"] = []string{header}
		if got := app.ClientIP(e.NewContext(r, nil)); net.ParseIP(got) == nil {
			t.Errorf("%q is no address", got)
		}
	})
}
