package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil/services"
)

func TestSchemes(t *testing.T) {
	if got := redisstore.New().Schemes(); !slices.Equal(got, []string{
		"redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster",
	}) {
		t.Error(got)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct{ name, url, want string }{
		{"a port that is none", "redis://:hush@localhost:port", "percent-encoded"},
		{"a password with a slash", "redis://user:1234/hush@localhost:6379/0", "percent-encoded"},
		{"a password with a question mark", "redis://:1234?hush@localhost", "percent-encoded"},
		{"a password with a hash sign", "redis://:1234#hush@localhost", "percent-encoded"},
		{"a password with a percent sign", "redis://:hu%sh@localhost", "percent-encoded"},
		{"no host", "redis:hush", "percent-encoded"},
		{"a database that is none", "redis://localhost/hush", "percent-encoded"},
		{"two databases", "redis://localhost/1/hush", "percent-encoded"},
		{"an unknown parameter", "redis://localhost?hush=1", "dial_timeout"},
		{"a parameter that would repeat calls", "redis://localhost?max_retries=3", "dial_timeout"},
		{"a parameter that trusts any certificate", "rediss://localhost?skip_verify=true", "dial_timeout"},
		{"a wrong value", "redis://localhost?read_timeout=hush", "dial_timeout"},
		{"two servers", "redis://:hush@a:1,b:2", "percent-encoded"},
		{"sentinels without a master", "redis+sentinel://:hush@localhost:1", "percent-encoded"},
		{"sentinels with a path", "redis+sentinel://:hush@localhost:1/master/hush", "percent-encoded"},
		{"sentinels with an empty host", "redis+sentinel://:hush@a:1,,b:2/master", "percent-encoded"},
		{"sentinels of no port", "redis+sentinel://:hush@a:hush,b:2/master", "percent-encoded"},
		{"a password of sentinels with a slash", "redis+sentinel://:1/hush@a:1,b:2/master", "percent-encoded"},
		{"a password of sentinels with an @", "redis+sentinel://:1@hush@a:1,b:2/master", "percent-encoded"},
		{"a password for sentinels with an @", "redis+sentinel://a:1/master?sentinel_password=hush@x", "percent-encoded"},
		{"a password for sentinels with a percent sign", "redis+sentinel://a:1/master?sentinel_password=%hush", "parameter"},
		{"a database of sentinels that is none", "redis+sentinel://a:1/master?db=hush", "dial_timeout"},
		{"two databases of sentinels", "redis+sentinel://a:1/master?db=1&db=2&sentinel_password=hush", "dial_timeout"},
		{"a server with the parameter of sentinels", "redis://localhost?sentinel_password=hush", "dial_timeout"},
		{"a cluster with a database", "redis+cluster://:hush@a:1,b:2/1", "percent-encoded"},
		{"a cluster with the parameter of sentinels", "redis+cluster://:hush@a:1,b:2?db=0", "dial_timeout"},
		{"a cluster without a host", "redis+cluster://:hush@", "percent-encoded"},
		{"a file of authorities that is not there", "rediss+cluster://:hush@a:1,b:2?ca_file=/hush", "ca_file"},
		{"a file of authorities without TLS", "redis+sentinel://:hush@a:1/master?ca_file=/hush", "ca_file"},
		{"sentinels that are not there", "redis+sentinel://:hush@127.0.0.1:1,127.0.0.1:2/master?sentinel_password=hush", "connection refused"},
		{"a cluster that is not there", "redis+cluster://:hush@127.0.0.1:1,127.0.0.1:2", "connection refused"},
		{"a server that is not there", "redis://:hush@127.0.0.1:1", "connection refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := redisstore.New().Open(t.Context(), config(t, test.url))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A server that would forget what is needed, or that lets nobody in, is refused; one that keeps no file is warned of.
func TestOpenLooksAtServer(t *testing.T) {
	server := services.Redis(t)
	admin := client(t, server.URL())
	ctx := t.Context()
	set := func(name, value string) {
		t.Helper()
		if err := admin.ConfigSet(ctx, name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	c := config(t, server.URL())
	c.Log = slog.New(slog.NewTextHandler(&log, nil))

	open(t, redisstore.New(), c)
	set("maxmemory-policy", "volatile-lru")
	open(t, redisstore.New(), c) // it has no bound
	if log.Len() > 0 {
		t.Errorf("it warns: %s", log.Bytes())
	}
	set("maxmemory", "100mb")
	if _, err := redisstore.New().Open(ctx, c); err == nil || !strings.Contains(err.Error(), "volatile-lru") {
		t.Errorf("got %v", err)
	}
	set("maxmemory-policy", "noeviction")
	set("appendonly", "no")
	open(t, redisstore.New(), c)
	if !strings.Contains(log.String(), "append-only") {
		t.Errorf("it warns of nothing: %s", log.Bytes())
	}

	wrong := c
	wrong.URL = strings.Replace(c.URL, server.Password(), "a-wrong-password", 1)
	_, err := redisstore.New().Open(ctx, wrong)
	if err == nil || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "a-wrong-password") {
		t.Errorf("got %v", err)
	}
}

// A user who may do no more than the stores need can open them, and cannot see more than their keys.
func TestOpenAsRestrictedUser(t *testing.T) {
	server := services.Redis(t)
	admin := client(t, server.URL())
	err := admin.Do(t.Context(), "ACL", "SETUSER", "picoauth", "on", ">narrow", "~{picoauth:*", "&{picoauth:*",
		"+@read", "+@write", "+@transaction", "+@pubsub", "+@connection", "+eval", "+evalsha", "+time", "-@dangerous").Err()
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, strings.Replace(server.URL(), ":"+server.Password(), "picoauth:narrow", 1))
	stores := open(t, redisstore.New(), c)
	if err := stores.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if err := stores.Watch(t.Context()); err != nil {
		t.Error(err)
	}
	use(t, stores)
}

func TestClusterHasOneDatabase(t *testing.T) {
	server := services.Redis(t, "cluster-enabled=yes", "databases=1")
	stores, err := redisstore.New().Open(t.Context(), config(t, server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	if err := stores.Ready(t.Context()); err == nil {
		t.Error("a cluster without slots is ready")
	}
	if err := stores.Close(); err != nil {
		t.Error(err)
	}
}

func TestKeysNeedEncryptionKey(t *testing.T) {
	server := services.Redis(t)
	c := config(t, server.URL())
	c.EncryptionKey = nil
	stores := open(t, redisstore.New(), c) // the other roles do without
	_, err := stores.Keys.Load(t.Context())
	update := stores.Keys.Update(t.Context(), func(records []keys.Record) ([]keys.Record, error) { return records, nil })
	for _, err := range []error{err, update} {
		if err == nil || !strings.Contains(err.Error(), "server_auth.key_encryption_key") {
			t.Errorf("got %v", err)
		}
	}
}

func TestClosed(t *testing.T) {
	server := services.Redis(t)
	stores, err := redisstore.New().Open(t.Context(), config(t, server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	if err := stores.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		for {
			if err := stores.Watch(context.Background()); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := errors.Join(stores.Close(), <-ended); err == nil {
		t.Error("a Watch goes on after Close")
	}
	if err := stores.Watch(t.Context()); err == nil {
		t.Error("a closed storage can be watched")
	}
}
