package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/picoauth/picoauth/app/config"
)

// SectionName is the configuration section of Settings.
const SectionName = "app"

// Settings is the section "app".
type Settings struct {
	// Host is the address to listen on; "0.0.0.0" or "::" for all interfaces.
	Host string `koanf:"host"`
	// Port is the TCP port; 0: any free one.
	Port int `koanf:"port"`
	// AdminPort is the TCP port of a second server on Host, which then serves /metrics instead of the first one; 0: no second server.
	AdminPort int `koanf:"admin_port"`

	// ReadHeaderTimeoutSeconds is the time-out for reading a request's header.
	ReadHeaderTimeoutSeconds int `koanf:"read_header_timeout_seconds"`
	// ReadTimeoutSeconds is the time-out for reading a whole request; 0: none.
	ReadTimeoutSeconds int `koanf:"read_timeout_seconds"`
	// WriteTimeoutSeconds is the time-out from the end of a request's header to the end of its reply; 0: none, for handlers that
	// stream.
	WriteTimeoutSeconds int `koanf:"write_timeout_seconds"`
	// IdleTimeoutSeconds is the time that a connection may wait for its next request.
	IdleTimeoutSeconds int `koanf:"idle_timeout_seconds"`
	// ShutdownTimeoutSeconds is the time that running requests have to finish at shutdown before they are cut off.
	ShutdownTimeoutSeconds int `koanf:"shutdown_timeout_seconds"`
	// ShutdownDelaySeconds is the time that the server still accepts requests while /readyz is already 503, so that a load balancer
	// stops sending requests first.
	ShutdownDelaySeconds int `koanf:"shutdown_delay_seconds"`

	// H2C also accepts HTTP/2 without TLS, as service meshes and Cloud Run send it.
	H2C bool `koanf:"h2c"`
	// MaxConnections is the maximum number of open connections; 0: as many as the file descriptors of the process allow, minus a
	// reserve for keys and storage, but at most 16384.
	MaxConnections int `koanf:"max_connections"`

	// BodyLimitBytes is the maximum size of a request's body. Handlers may have a lower limit, as DecodeJSON does.
	BodyLimitBytes int64 `koanf:"body_limit_bytes"`
	// TrustedProxies are addresses and CIDR ranges of proxies whose X-Forwarded-For is used. Empty: the peer is the client.
	TrustedProxies []string `koanf:"trusted_proxies"`
	// CORSOrigins are the origins (scheme://host[:port]) whose pages may call this server, or "*". Empty: none.
	CORSOrigins []string `koanf:"cors_origins"`

	// LogFormat is "text" or "json".
	LogFormat string `koanf:"log_format"`
	// LogLevel is "debug", "info", "warn" or "error".
	LogLevel string `koanf:"log_level"`
}

// DefaultSettings returns the default settings: port 8100 on 127.0.0.1, no trusted proxies.
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

// Validate checks all values. The error names the key of every invalid one.
func (s Settings) Validate() error {
	faults := []error{
		config.CheckTexts("", s),
		config.CheckRange("port", s.Port, 0, 65535),
		config.CheckRange("admin_port", s.AdminPort, 0, 65535),
		config.CheckRange("read_header_timeout_seconds", s.ReadHeaderTimeoutSeconds, 1, 3600),
		config.CheckRange("read_timeout_seconds", s.ReadTimeoutSeconds, 0, 86400),
		config.CheckRange("write_timeout_seconds", s.WriteTimeoutSeconds, 0, 86400),
		config.CheckRange("idle_timeout_seconds", s.IdleTimeoutSeconds, 1, 86400),
		config.CheckRange("shutdown_timeout_seconds", s.ShutdownTimeoutSeconds, 1, 3600),
		config.CheckRange("shutdown_delay_seconds", s.ShutdownDelaySeconds, 0, 3600),
		config.CheckRange("max_connections", s.MaxConnections, 0, 1_000_000),
		config.CheckRange("body_limit_bytes", s.BodyLimitBytes, MaxJSONBody, 1<<40),
		config.CheckOneOf("log_format", s.LogFormat, "text", "json"),
		config.CheckOneOf("log_level", s.LogLevel, "debug", "info", "warn", "error"),
	}
	if _, err := netip.ParseAddr(s.Host); s.Host == "" || strings.ContainsAny(s.Host, "/[], @") || strings.Contains(s.Host, ":") && err != nil {
		faults = append(faults, &config.Error{Key: "host", Reason: `must be an address or a host name ("0.0.0.0" listens everywhere)` + config.Shown(", not ", "host", s.Host)})
	}
	if s.AdminPort != 0 && s.AdminPort == s.Port {
		faults = append(faults, &config.Error{Key: "admin_port", Reason: "must differ from port; with 0, /metrics is served on port"})
	}
	_, err := parseProxies(s.TrustedProxies)
	faults = append(faults, err)
	for i, origin := range s.CORSOrigins {
		if !isOrigin(origin) {
			key := fmt.Sprintf("cors_origins[%d]", i)
			faults = append(faults, &config.Error{Key: key, Reason: `must be scheme://host[:port] in lowercase, or "*"` + config.Shown(", not ", key, origin)})
		}
	}
	return errors.Join(faults...)
}

// Address is the address to listen on, as host:port.
func (s Settings) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// adminAddress is the address of the second server, as host:port.
func (s Settings) adminAddress() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.AdminPort)) }

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// parseProxies reads addresses and CIDR ranges; an address is a range with one address.
func parseProxies(proxies []string) (ranges []netip.Prefix, err error) {
	for i, proxy := range proxies {
		prefix, fault := netip.ParsePrefix(proxy)
		if address, addressErr := netip.ParseAddr(proxy); addressErr == nil && address.Zone() == "" {
			prefix, fault = address.Prefix(address.BitLen())
		}
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 { // clients are compared in the form of IPv4
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		if fault != nil {
			key := fmt.Sprintf("trusted_proxies[%d]", i)
			err = errors.Join(err, &config.Error{Key: key, Reason: "must be an IP address or a CIDR range" + config.Shown(", not ", key, proxy)})
			continue
		}
		ranges = append(ranges, prefix.Masked())
	}
	return ranges, err
}

// isOrigin reports whether text is scheme://host[:port] in lowercase, as a browser writes it in an Origin header, or "*".
func isOrigin(text string) bool {
	if text == "*" {
		return true
	}
	origin, err := url.Parse(text)
	if err != nil || origin.Scheme != "http" && origin.Scheme != "https" || origin.Hostname() == "" || strings.HasSuffix(text, ":") ||
		strings.ContainsFunc(text, func(r rune) bool { return r == '*' || r > '~' }) {
		return false
	}
	if port := origin.Port(); port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		isDefault := origin.Scheme == "http" && number == 80 || origin.Scheme == "https" && number == 443
		if err != nil || number == 0 || port[0] == '0' || isDefault {
			return false
		}
	}
	return text == strings.ToLower(origin.Scheme+"://"+origin.Host)
}
