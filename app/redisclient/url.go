package redisclient

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/picoauth/picoauth/app/storageurl"
)

// Time-outs of a call for a connection of the pool, for a new connection, and for a reply. The last one is longer than
// Redis itself waits for a slow disk.
const (
	poolTimeout = time.Second
	dialTimeout = time.Second
	callTimeout = 3 * time.Second
)

// Schemes returns the URL schemes for a server, for sentinels and for a cluster, each without and with TLS.
func Schemes() []string {
	return []string{"redis", "rediss", "redis" + sentinels, "rediss" + sentinels, "redis" + cluster, "rediss" + cluster}
}

const (
	sentinels = "+sentinel"
	cluster   = "+cluster"
)

// Errors of a URL. Their texts contain nothing of it, because a password that is not percent-encoded can be in any part.
var (
	// ErrURL is returned for an invalid URL.
	ErrURL = errors.New("is not redis://[user:password@]host[:port][/database], redis+sentinel://[user:password@]host:port[,host:port…]/master " +
		"or redis+cluster://[user:password@]host:port[,host:port…], or rediss… for TLS " +
		"(in a password each of / ? # [ ] @ : % must be percent-encoded, such as @ as %40)")
	// ErrParameter is returned for an unknown parameter, or one with an invalid value.
	ErrParameter = fmt.Errorf("has an unknown parameter, or one with a wrong value (allowed: %s; for sentinels also: %s)",
		strings.Join(parameters, ", "), strings.Join(sentinelParameters, ", "))
	// ErrAuthority is returned for a ca_file that cannot be read or contains no certificate.
	ErrAuthority = errors.New("has a ca_file that cannot be read, or holds no certificate")
)

// Parameters for sentinels. The user and password of the URL are those of the master and its replicas.
const (
	databaseNumber   = "db"
	sentinelUser     = "sentinel_username"
	sentinelPassword = "sentinel_password"
)

var (
	parameters         = []string{caFile, "dial_timeout", "read_timeout", "write_timeout", "pool_timeout", "pool_size", "min_idle_conns"}
	sentinelParameters = []string{databaseNumber, sentinelUser, sentinelPassword}

	databasePath = regexp.MustCompile(`^/?[0-9]{0,6}$`)
	masterPath   = regexp.MustCompile(`^/[A-Za-z0-9._-]{1,128}$`)
	listedHost   = regexp.MustCompile(`^(?:\[[0-9A-Fa-f:.]+\]|[^]:[,]+)(:[0-9]{1,5})?$`)
)

// Options parses a URL. Its errors, such as ErrURL, ErrParameter and ErrAuthority, contain nothing of the URL.
func Options(text string) (*redis.UniversalOptions, error) {
	if storageurl.Check(text) != nil {
		return nil, ErrURL
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return nil, ErrURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, ErrParameter
	}
	o := &redis.UniversalOptions{}
	switch known := parameters; {
	case strings.HasSuffix(u.Scheme, sentinels):
		known = append(slices.Clone(known), sentinelParameters...)
		err = cmp.Or(onlyOnce(query, known), readSentinels(o, u, query))
	case strings.HasSuffix(u.Scheme, cluster):
		o.IsClusterMode = true
		err = cmp.Or(onlyOnce(query, known), readHosts(o, u, "6379"))
	case strings.Contains(u.Host, ",") || !databasePath.MatchString(u.Path):
		err = ErrURL
	default:
		err = onlyOnce(query, known)
	}
	if err != nil {
		return nil, err
	}
	authority := query.Get(caFile)
	query.Del(caFile)
	u.RawQuery = query.Encode()
	if err := readServer(o, u); err != nil {
		return nil, err
	}
	if err := trust(o.TLSConfig, authority); err != nil {
		return nil, err
	}
	return o, nil
}

// onlyOnce refuses unknown parameters, and those that are given more than once.
func onlyOnce(query url.Values, known []string) error {
	for name, values := range query {
		if !slices.Contains(known, name) || len(values) > 1 {
			return ErrParameter
		}
	}
	return nil
}

// readSentinels reads the parts that only a URL of sentinels has, and rewrites u to that of a single server.
func readSentinels(o *redis.UniversalOptions, u *url.URL, query url.Values) error {
	if !masterPath.MatchString(u.Path) {
		return ErrURL
	}
	o.MasterName = u.Path[1:]
	o.SentinelUsername, o.SentinelPassword = query.Get(sentinelUser), query.Get(sentinelPassword)
	database := "/" + query.Get(databaseNumber)
	if !databasePath.MatchString(database) {
		return ErrParameter
	}
	for _, name := range sentinelParameters {
		query.Del(name)
	}
	err := readHosts(o, u, "26379")
	u.Path = database
	return err
}

// readHosts reads a list of hosts, and rewrites u to the URL of a single server.
func readHosts(o *redis.UniversalOptions, u *url.URL, port string) error {
	for host := range strings.SplitSeq(u.Host, ",") {
		match := listedHost.FindStringSubmatch(host)
		if match == nil {
			return ErrURL
		}
		if match[1] == "" {
			host += ":" + port
		}
		o.Addrs = append(o.Addrs, host)
	}
	if o.IsClusterMode && strings.Trim(u.Path, "/") != "" {
		return ErrURL
	}
	u.Scheme, _, _ = strings.Cut(u.Scheme, "+")
	u.Host = o.Addrs[0]
	return nil
}

// readServer reads the parts that all URLs have, from the URL of a single server.
func readServer(o *redis.UniversalOptions, u *url.URL) error {
	one, err := redis.ParseURL(u.String())
	if err != nil || one.PoolSize < 0 || one.MinIdleConns < 0 {
		return ErrParameter
	}
	o.Username, o.Password, o.DB, o.TLSConfig = one.Username, one.Password, one.DB, one.TLSConfig
	if o.Addrs == nil {
		o.Addrs = []string{one.Addr}
	} else if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // each server must have a certificate for its own address
	}
	bounded := func(timeout, usual time.Duration) time.Duration {
		if timeout <= 0 {
			return usual
		}
		return timeout
	}
	o.DialTimeout, o.PoolTimeout = bounded(one.DialTimeout, dialTimeout), bounded(one.PoolTimeout, poolTimeout)
	o.ReadTimeout, o.WriteTimeout = bounded(one.ReadTimeout, callTimeout), bounded(one.WriteTimeout, callTimeout)
	o.PoolSize, o.MinIdleConns = one.PoolSize, one.MinIdleConns
	o.MaxRetries, o.DialerRetries = -1, 1
	o.ContextTimeoutEnabled = true
	o.ClientName, o.DisableIdentity = "picoauth", true
	o.Protocol, o.PipelinePoolSize = 2, -1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return nil
}

// caFile is the parameter with a PEM file of certificate authorities, which are trusted instead of the system's.
const caFile = "ca_file"

func trust(config *tls.Config, file string) error {
	if file == "" {
		return nil
	}
	if config == nil {
		return errors.New("has a ca_file, which is for TLS (rediss…) only")
	}
	text, err := os.ReadFile(file)
	config.RootCAs = x509.NewCertPool()
	if err != nil || !config.RootCAs.AppendCertsFromPEM(text) {
		return ErrAuthority
	}
	return nil
}
