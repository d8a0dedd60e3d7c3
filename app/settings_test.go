package app_test

import (
	"strings"
	"testing"

	"github.com/picoauth/picoauth/app"
)

func TestDefaultSettings(t *testing.T) {
	settings, err := app.LoadSettings(load(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if settings.Address() != "127.0.0.1:8100" || settings.ReadHeaderTimeoutSeconds != 5 {
		t.Errorf("got %+v", settings)
	}
	settings.Host = "::1"
	if settings.Address() != "[::1]:8100" {
		t.Errorf("IPv6: %s", settings.Address())
	}
}

func TestSettings(t *testing.T) {
	tests := []struct {
		key   string
		value any
		want  string // of the error, after the key; "" if accepted
	}{
		{"host", "0.0.0.0", ""},
		{"host", "::", ""},
		{"host", "localhost", ""},
		{"host", " localhost", "has white space around it"},
		{"host", "\"localhost\"", "has quotes around it"},
		{"host", "", `must be an address or a host name ("0.0.0.0" listens everywhere)`},
		{"host", "[::1]", `must be an address or a host name ("0.0.0.0" listens everywhere)`},
		{"host", "http://localhost", `must be an address or a host name ("0.0.0.0" listens everywhere)`},
		{"port", "0", ""},
		{"port", 65535, ""},
		{"port", 65536, "65536 is not within 0 to 65535"},
		{"port", -1, "-1 is not within 0 to 65535"},
		{"port", "http", "must be a whole number"},
		{"host", "::", ""},
		{"host", "fe80::1%eth0", ""},
		{"host", "localhost:8100", "must be an address or a host name"},
		{"host", "127.0.0.1:8100", "must be an address or a host name"},
		{"admin_port", 9100, ""},
		{"admin_port", 65536, "65536 is not within 0 to 65535"},
		{"admin_port", 8100, "must differ from port; with 0, /metrics is served on port"},
		{"read_header_timeout_seconds", 0, "0 is not within 1 to 3600"},
		{"read_timeout_seconds", 0, ""},
		{"write_timeout_seconds", 0, ""},
		{"write_timeout_seconds", -1, "-1 is not within 0 to 86400"},
		{"idle_timeout_seconds", 0, "0 is not within 1 to 86400"},
		{"shutdown_timeout_seconds", 0, "0 is not within 1 to 3600"},
		{"shutdown_delay_seconds", 3601, "3601 is not within 0 to 3600"},
		{"body_limit_bytes", 65535, "65535 is not within 65536 to 1099511627776"},
		{"trusted_proxies", "10.0.0.0/8, 192.0.2.7,::1, fd00::/8", ""},
		{"trusted_proxies", []any{"10.0.0.1", "proxy"}, "must be an IP address or a CIDR range"},
		{"trusted_proxies", []any{"10.0.0.1", "10.0.0.0/33"}, "must be an IP address or a CIDR range"},
		{"trusted_proxies", []any{"10.0.0.1", "fe80::1%eth0"}, "must be an IP address or a CIDR range"},
		{"cors_origins", "https://app.example, http://localhost:3000,https://[::1]:8443", ""},
		{"cors_origins", "*", ""},
		{"cors_origins", "null,app.example", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,https://app.example/", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,https://App.example", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,https://me@app.example", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,https://", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "https://*.app.example", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,https://app.example:443", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,http://app.example:80", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "http://app.example:443,https://app.example:80,https://app.example:8443", ""},
		{"cors_origins", "*,https://app.example:08443", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,https://app.example:65536", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,https://app.example:0", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,https://app.example:", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,https://bücher.example", `must be scheme://host[:port] in lowercase, or "*"`},
		{"cors_origins", "*,ftp://app.example", `must be scheme://host[:port] in lowercase, or "*"`},
		{"log_format", "json", ""},
		{"log_format", "xml", `"xml" is not one of text, json`},
		{"log_level", "debug", ""},
		{"log_level", "INFO", `"INFO" is not one of debug, info, warn, error`},
		{"admin_prt", 0, "unknown key"},
	}
	for _, test := range tests {
		t.Run(test.key, func(t *testing.T) {
			_, err := app.LoadSettings(load(t, map[string]any{"app." + test.key: test.value}))
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			one, item := "app."+test.key+": "+test.want, "app."+test.key+"[1]: "+test.want
			zeroth := "app." + test.key + "[0]: " + test.want
			got := text(err)
			if !strings.HasPrefix(got, one) && !strings.HasPrefix(got, item) && !strings.HasPrefix(got, zeroth) {
				t.Errorf("got %v, want %s", err, one)
			}
		})
	}
}
