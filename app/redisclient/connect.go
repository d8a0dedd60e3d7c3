package redisclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Connect returns a client after the server has answered. It is a client of the server in the URL, of the master that the
// sentinels name, or of a cluster, also if the URL names one of its nodes as a single server.
func Connect(ctx context.Context, o *redis.UniversalOptions, log *slog.Logger) (redis.UniversalClient, error) {
	client := newClient(o)
	all, err := inspect(ctx, client)
	if err != nil {
		if o.MasterName != "" && errors.Is(err, redis.Nil) {
			err = errors.New("redis: no sentinel knows a master of this name")
		}
		return nil, errors.Join(err, client.Close())
	}
	if err := checkServers(all, log); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	isNode := slices.ContainsFunc(all, func(facts map[string]string) bool { return facts["cluster_enabled"] == "1" })
	if !isNode || o.IsClusterMode {
		return client, nil
	}
	if err := client.Close(); err != nil {
		return nil, Failed(ctx, err)
	}
	if o.DB != 0 {
		return nil, errors.New("redis: the server is a node of a cluster, and a cluster has only database 0")
	}
	o.IsClusterMode = true
	return newClient(o), nil
}

func newClient(o *redis.UniversalOptions) redis.UniversalClient {
	switch {
	case o.IsClusterMode:
		c := o.Cluster()
		c.DisableRoutingPolicies = true
		if c.TLSConfig != nil {
			c.TLSConfig = c.TLSConfig.Clone()
		}
		return redis.NewClusterClient(c)
	case o.MasterName != "":
		return redis.NewFailoverClient(o.Failover())
	default:
		return redis.NewClient(o.Simple())
	}
}

// inspect returns the reply to INFO of the server, or of every master of a cluster. The reply is empty if the user may not
// call INFO. Masters that do not answer are left out if another one does.
func inspect(ctx context.Context, client redis.UniversalClient) (all []map[string]string, err error) {
	var mu sync.Mutex
	ask := func(ctx context.Context, server interface {
		Info(ctx context.Context, sections ...string) *redis.StringCmd
	}) error {
		info, err := server.Info(ctx).Result()
		if err != nil && !redis.HasErrorPrefix(err, "NOPERM") {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, readInfo(info))
		return nil
	}
	if nodes, isCluster := client.(*redis.ClusterClient); isCluster {
		err = nodes.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return ask(ctx, node) })
	} else {
		err = ask(ctx, client)
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, Failed(ctx, err)
}

// checkServers refuses servers that evict keys, and logs a warning if data can be lost.
func checkServers(all []map[string]string, log *slog.Logger) error {
	noFile, replicated := false, false
	for _, facts := range all {
		policy := facts["maxmemory_policy"]
		if facts["maxmemory"] != "0" && policy != "" && policy != "noeviction" {
			return fmt.Errorf("redis: maxmemory-policy of the server is %s: it would delete revocations and spent nonces "+
				"when its memory is full; set it to noeviction", policy)
		}
		replicas, err := strconv.Atoi(facts["connected_slaves"])
		noFile = noFile || facts["aof_enabled"] == "0"
		replicated = replicated || facts["role"] == "slave" || err == nil && replicas > 0
	}
	if noFile {
		log.Warn("redis writes no append-only file: after a crash it can lose writes that it has confirmed", "see", "appendonly, appendfsync")
	}
	if replicated {
		log.Warn("redis is replicated: after a failover the new master may lack the last confirmed writes, such as revocations",
			"see", "min-replicas-to-write, WAIT")
	}
	return nil
}

// readInfo parses the reply to INFO: lines of name:value.
func readInfo(text string) map[string]string {
	facts := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			facts[name] = value
		}
	}
	return facts
}
