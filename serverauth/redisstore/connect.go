package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// How long a call waits at most for a connection of the pool, for a new one, and for an answer. The last one is longer
// than Redis itself waits for a slow disk.
const (
	poolTimeout = time.Second
	dialTimeout = time.Second
	callTimeout = 3 * time.Second
)

// What is wrong with a URL is told without showing any of it: a password that is not encoded can end up in any part.
var (
	errURL = errors.New("is not redis://[user:password@]host[:port][/database], or rediss://… for TLS " +
		"(in a password each of / ? # [ ] @ : % must be percent-encoded)")
	errParameter = fmt.Errorf("has a parameter with a wrong value, or one that is none of %s", strings.Join(parameters, ", "))
)

var (
	parameters   = []string{"dial_timeout", "read_timeout", "write_timeout", "pool_timeout", "pool_size", "min_idle_conns"}
	databasePath = regexp.MustCompile(`^/?[0-9]{0,6}$`)
)

// options reads a URL.
func options(text string) (*redis.Options, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" || !databasePath.MatchString(u.Path) {
		return nil, errURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errParameter
	}
	for name := range query {
		if !slices.Contains(parameters, name) {
			return nil, errParameter
		}
	}
	o, err := redis.ParseURL(text)
	if err != nil || o.PoolSize < 0 || o.MinIdleConns < 0 {
		return nil, errParameter
	}
	bounded := func(timeout *time.Duration, usual time.Duration) {
		if *timeout <= 0 {
			*timeout = usual
		}
	}
	bounded(&o.DialTimeout, dialTimeout)
	bounded(&o.ReadTimeout, callTimeout)
	bounded(&o.WriteTimeout, callTimeout)
	bounded(&o.PoolTimeout, poolTimeout)
	o.MaxRetries, o.DialerRetries = -1, 1
	o.ContextTimeoutEnabled = true
	o.ClientName, o.DisableIdentity = "picoauth", true
	o.Protocol, o.PipelinePoolSize = 2, -1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// connect returns a client of a server that answers, or of the cluster that it is a node of.
func connect(ctx context.Context, o *redis.Options, log *slog.Logger) (redis.UniversalClient, error) {
	client := redis.NewClient(o)
	info, err := client.Info(ctx).Result()
	switch {
	case redis.HasErrorPrefix(err, "NOPERM"): // connected, but may not ask
		return client, nil
	case err != nil:
		return nil, errors.Join(failed(ctx, err), client.Close())
	}
	facts := readInfo(info)
	if err := checkServer(facts, log); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	if facts["cluster_enabled"] != "1" {
		return client, nil
	}
	if err := client.Close(); err != nil {
		return nil, failed(ctx, err)
	}
	return connectCluster(o)
}

// checkServer refuses a server that would forget what is still needed.
func checkServer(facts map[string]string, log *slog.Logger) error {
	policy := facts["maxmemory_policy"]
	if facts["maxmemory"] != "0" && policy != "" && policy != "noeviction" {
		return fmt.Errorf("redisstore: maxmemory-policy of the server is %s: it would forget revocations and spent nonces "+
			"when its memory is full; set it to noeviction", policy)
	}
	if facts["aof_enabled"] == "0" {
		log.Warn("redis keeps no append-only file: it can lose what it has answered", "see", "appendonly, appendfsync")
	}
	return nil
}

// readInfo reads the answer of INFO: lines of name:value.
func readInfo(text string) map[string]string {
	facts := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			facts[name] = value
		}
	}
	return facts
}

func connectCluster(o *redis.Options) (redis.UniversalClient, error) {
	if o.DB != 0 {
		return nil, errors.New("redisstore: the server is a node of a cluster, which has the database 0 only")
	}
	var config *tls.Config
	if o.TLSConfig != nil {
		config = o.TLSConfig.Clone()
	}
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{o.Addr}, Dialer: o.Dialer, Username: o.Username, Password: o.Password, TLSConfig: config, DisableRoutingPolicies: true,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, PoolTimeout: o.PoolTimeout,
		PoolSize: o.PoolSize, MinIdleConns: o.MinIdleConns,
		MaxRetries: o.MaxRetries, DialerRetries: o.DialerRetries, ContextTimeoutEnabled: o.ContextTimeoutEnabled,
		ClientName: o.ClientName, DisableIdentity: o.DisableIdentity, Protocol: o.Protocol, PipelinePoolSize: o.PipelinePoolSize,
		MaintNotificationsConfig: o.MaintNotificationsConfig,
	}), nil
}
