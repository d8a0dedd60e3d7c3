package app

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/knadh/koanf/v2"
)

// SectionName is the configuration section of Settings.
const SectionName = "app"

// Settings is the section "app".
type Settings struct {
	// Host is the address to listen on; "0.0.0.0" or "::" is every interface.
	Host string `koanf:"host"`
	// Port is the TCP port; 0 takes a free one.
	Port int `koanf:"port"`
	// AdminPort is the TCP port of a second server on Host that has /metrics, and the first then has not; 0: no
	// second server.
	AdminPort int `koanf:"admin_port"`

	// ReadHeaderTimeoutSeconds bounds the reading of a request's header.
	ReadHeaderTimeoutSeconds int `koanf:"read_header_timeout_seconds"`
	// ReadTimeoutSeconds bounds the reading of a whole request; 0: no bound.
	ReadTimeoutSeconds int `koanf:"read_timeout_seconds"`
	// WriteTimeoutSeconds bounds a request from the end of its header to the end
	// of its reply; 0: no bound, for handlers that stream.
	WriteTimeoutSeconds int `koanf:"write_timeout_seconds"`
	// IdleTimeoutSeconds is how long a connection may wait for its next request.
	IdleTimeoutSeconds int `koanf:"idle_timeout_seconds"`
	// ShutdownTimeoutSeconds is how long running requests may take to finish
	// before they are cut off.
	ShutdownTimeoutSeconds int `koanf:"shutdown_timeout_seconds"`
	// ShutdownDelaySeconds is how long the server still accepts requests, with
	// /readyz already failing, so that a load balancer can turn away first.
	ShutdownDelaySeconds int `koanf:"shutdown_delay_seconds"`

	// BodyLimitBytes is the size of the largest request body. Handlers may take
	// less; DecodeJSON does.
	BodyLimitBytes int64 `koanf:"body_limit_bytes"`
	// TrustedProxies are the addresses and CIDR ranges of the proxies whose
	// X-Forwarded-For is believed. Empty: the peer is the client.
	TrustedProxies []string `koanf:"trusted_proxies"`
	// CORSOrigins are the origins (scheme://host[:port]) whose pages may call this
	// server, or "*". Empty: none.
	CORSOrigins []string `koanf:"cors_origins"`

	// LogFormat is "text" or "json".
	LogFormat string `koanf:"log_format"`
	// LogLevel is "debug", "info", "warn" or "error".
	LogLevel string `koanf:"log_level"`
}

// DefaultSettings listens on 127.0.0.1:8100 and trusts no proxy.
func DefaultSettings() Settings {
	return Settings{
		Host:                     "127.0.0.1",
		Port:                     8100,
		ReadHeaderTimeoutSeconds: 5,
		ReadTimeoutSeconds:       15,
		WriteTimeoutSeconds:      30,
		IdleTimeoutSeconds:       60,
		ShutdownTimeoutSeconds:   20,
		ShutdownDelaySeconds:     0,
		BodyLimitBytes:           1 << 20,
		LogFormat:                "text",
		LogLevel:                 "info",
	}
}

// LoadSettings reads the section "app".
func LoadSettings(k *koanf.Koanf) (Settings, error) {
	return Section(k, SectionName, DefaultSettings())
}

// Validate returns a *ConfigError for the first key that is out of range.
func (s Settings) Validate() error {
	if s.Host == "" || strings.ContainsAny(s.Host, "/[] ") {
		return &ConfigError{Key: "host", Reason: `must be an address or a host name ("0.0.0.0" listens everywhere)`}
	}
	for _, bound := range []struct {
		key                string
		value, least, most int64
	}{
		{"port", int64(s.Port), 0, 65535},
		{"admin_port", int64(s.AdminPort), 0, 65535},
		{"read_header_timeout_seconds", int64(s.ReadHeaderTimeoutSeconds), 1, 3600},
		{"read_timeout_seconds", int64(s.ReadTimeoutSeconds), 0, 86400},
		{"write_timeout_seconds", int64(s.WriteTimeoutSeconds), 0, 86400},
		{"idle_timeout_seconds", int64(s.IdleTimeoutSeconds), 1, 86400},
		{"shutdown_timeout_seconds", int64(s.ShutdownTimeoutSeconds), 1, 3600},
		{"shutdown_delay_seconds", int64(s.ShutdownDelaySeconds), 0, 3600},
		{"body_limit_bytes", s.BodyLimitBytes, MaxJSONBody, 1 << 40},
	} {
		if err := CheckRange(bound.key, bound.value, bound.least, bound.most); err != nil {
			return err
		}
	}
	if s.AdminPort != 0 && s.AdminPort == s.Port {
		return &ConfigError{Key: "admin_port", Reason: "must differ from port; 0 serves /metrics there"}
	}
	if _, err := parseProxies(s.TrustedProxies); err != nil {
		return err
	}
	for i, origin := range s.CORSOrigins {
		if !isOrigin(origin) {
			return &ConfigError{Key: fmt.Sprintf("cors_origins[%d]", i), Reason: `must be scheme://host[:port] in lowercase, or "*"`}
		}
	}
	if err := CheckOneOf("log_format", s.LogFormat, "text", "json"); err != nil {
		return err
	}
	return CheckOneOf("log_level", s.LogLevel, "debug", "info", "warn", "error")
}

// Address is where to listen, as host:port.
func (s Settings) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// AdminAddress is where to listen with the second server, as host:port.
func (s Settings) AdminAddress() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.AdminPort)) }

// ReadHeaderTimeout is ReadHeaderTimeoutSeconds as a duration.
func (s Settings) ReadHeaderTimeout() time.Duration { return seconds(s.ReadHeaderTimeoutSeconds) }

// ReadTimeout is ReadTimeoutSeconds as a duration.
func (s Settings) ReadTimeout() time.Duration { return seconds(s.ReadTimeoutSeconds) }

// WriteTimeout is WriteTimeoutSeconds as a duration.
func (s Settings) WriteTimeout() time.Duration { return seconds(s.WriteTimeoutSeconds) }

// IdleTimeout is IdleTimeoutSeconds as a duration.
func (s Settings) IdleTimeout() time.Duration { return seconds(s.IdleTimeoutSeconds) }

// ShutdownTimeout is ShutdownTimeoutSeconds as a duration.
func (s Settings) ShutdownTimeout() time.Duration { return seconds(s.ShutdownTimeoutSeconds) }

// ShutdownDelay is ShutdownDelaySeconds as a duration.
func (s Settings) ShutdownDelay() time.Duration { return seconds(s.ShutdownDelaySeconds) }

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// parseProxies reads addresses and CIDR ranges; an address is a range of one.
func parseProxies(proxies []string) ([]netip.Prefix, error) {
	var ranges []netip.Prefix
	for i, proxy := range proxies {
		prefix, err := netip.ParsePrefix(proxy)
		if address, addressErr := netip.ParseAddr(proxy); addressErr == nil && address.Zone() == "" {
			prefix, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return nil, &ConfigError{Key: fmt.Sprintf("trusted_proxies[%d]", i), Reason: "must be an IP address or a CIDR range"}
		}
		ranges = append(ranges, prefix.Masked())
	}
	return ranges, nil
}

// isOrigin reports whether text is what a browser sends as Origin, or "*".
func isOrigin(text string) bool {
	if text == "*" {
		return true
	}
	origin, err := url.Parse(text)
	if err != nil || origin.Scheme != "http" && origin.Scheme != "https" || origin.Hostname() == "" {
		return false
	}
	return text == strings.ToLower(origin.Scheme+"://"+origin.Host)
}
