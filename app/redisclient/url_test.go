package redisclient_test

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app/redisclient"
)

// A URL is refused without a word of it, and never turns off what bounds a call.
func FuzzURL(f *testing.F) {
	for _, url := range []string{
		"redis://:secret@localhost:6379/1", "rediss://user:secret@[::1]", "redis://h?read_timeout=0&pool_timeout=-1", "redis://h/1/2",
		"redis://:se/cret@h", "redis://:se?cret@h", "redis://:se#cret@h", "redis:secret", "redis://h?dial_timeout=1h&pool_size=-5",
		"redis+sentinel://u:secret@a:1,b:2/master?db=3&sentinel_password=secret", "rediss+cluster://:secret@a:1,[::1]:2", "redis+sentinel://a/m?db=x",
	} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		o, err := redisclient.Options(url)
		if err != nil {
			if !errors.Is(err, redisclient.ErrURL) && !errors.Is(err, redisclient.ErrParameter) && !strings.Contains(err.Error(), "ca_file") {
				t.Errorf("the error may show something: %v", err)
			}
			return
		}
		if o.ReadTimeout <= 0 || o.WriteTimeout <= 0 || o.DialTimeout <= 0 || o.PoolTimeout <= 0 || o.MaxRetries != -1 {
			t.Errorf("%+v", o)
		}
		if len(o.Addrs) == 0 || o.IsClusterMode && (o.DB != 0 || o.MasterName != "") {
			t.Errorf("%+v", o)
		}
	})
}

// A URL of several servers says where they are and who may enter; with TLS each has a certificate for its own address.
func TestURLsOfSeveralServers(t *testing.T) {
	for text, want := range map[string]redis.UniversalOptions{
		"redis+sentinel://user:p%40ss@a:1,b:2/my-master.1?db=3&sentinel_username=s&sentinel_password=%40": {
			Addrs: []string{"a:1", "b:2"}, MasterName: "my-master.1", DB: 3, Username: "user", Password: "p@ss", SentinelUsername: "s", SentinelPassword: "@",
		},
		"redis+sentinel://a,b/m":               {Addrs: []string{"a:26379", "b:26379"}, MasterName: "m"},
		"rediss+sentinel://[::1]/m":            {Addrs: []string{"[::1]:26379"}, MasterName: "m", TLSConfig: &tls.Config{}},
		"redis+cluster://:p@a:1,b:2,c:3/":      {Addrs: []string{"a:1", "b:2", "c:3"}, IsClusterMode: true, Password: "p"},
		"rediss+cluster://a:1,b:2":             {Addrs: []string{"a:1", "b:2"}, IsClusterMode: true, TLSConfig: &tls.Config{}},
		"redis+cluster://10.0.0.1?pool_size=3": {Addrs: []string{"10.0.0.1:6379"}, IsClusterMode: true, PoolSize: 3},
	} {
		got, err := redisclient.Options(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !slices.Equal(got.Addrs, want.Addrs) || got.MasterName != want.MasterName || got.DB != want.DB || got.IsClusterMode != want.IsClusterMode ||
			got.Username != want.Username || got.Password != want.Password || got.PoolSize != want.PoolSize ||
			got.SentinelUsername != want.SentinelUsername || got.SentinelPassword != want.SentinelPassword ||
			(got.TLSConfig == nil) != (want.TLSConfig == nil) || got.TLSConfig != nil && got.TLSConfig.ServerName != "" {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
