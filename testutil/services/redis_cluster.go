package services

import (
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// RedisCluster is a cluster of Redis servers, each with a part of the keys.
type RedisCluster []*Server

// NewRedisCluster starts a cluster of three nodes with one password, and returns when each of them knows all.
func NewRedisCluster(tb testing.TB) RedisCluster {
	tb.Helper()
	program, cli := redisProgram(tb, "redis-server"), redisProgram(tb, "redis-cli")
	kind := redis{password: secret()}
	create := []string{"--cluster", "create"}
	nodes := make(RedisCluster, 3)
	for i := range nodes {
		bus, err := freePort()
		if err != nil {
			tb.Fatalf("services: %v", err)
		}
		nodes[i] = run(tb, kind, program, []string{"cluster-enabled=yes", "databases=1", "cluster-port=" + strconv.Itoa(bus)})
		create = append(create, nodes[i].Addr())
	}
	if text := ask(cli, nodes[0], append(create, "--cluster-replicas", "0", "--cluster-yes")...); !strings.Contains(text, "All 16384 slots covered") {
		tb.Fatalf("services: redis-cli --cluster create: %s", text)
	}
	for _, node := range nodes {
		waitFor(tb, "the cluster", func() bool {
			text := ask(cli, node, "cluster", "info")
			return strings.Contains(text, "cluster_state:ok") && strings.Contains(text, "cluster_known_nodes:3")
		})
	}
	return nodes
}

// URL names all nodes.
func (c RedisCluster) URL() string {
	hosts := make([]string, len(c))
	for i, node := range c {
		hosts[i] = node.Addr()
	}
	u := url.URL{Scheme: "redis+cluster", User: url.UserPassword("", c[0].password), Host: strings.Join(hosts, ",")}
	return u.String()
}

// ask runs redis-cli and returns what it prints.
func ask(cli string, server *Server, arguments ...string) string {
	cmd := exec.Command(cli, append([]string{"--no-auth-warning", "-h", "127.0.0.1", "-p", strconv.Itoa(server.port)}, arguments...)...)
	cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+server.password)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return err.Error() + ": " + string(text)
	}
	return string(text)
}

// waitFor asks until something has happened.
func waitFor(tb testing.TB, what string, happened func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(startTimeout); !happened(); time.Sleep(10 * pollInterval) {
		if time.Now().After(deadline) {
			tb.Fatalf("services: %s is not ready after %s", what, startTimeout)
		}
	}
}
