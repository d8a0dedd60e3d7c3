package keys_test

import (
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func TestConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*keys.Config)
		want   string // a part of the error
	}{
		{"defaults", func(*keys.Config) {}, ""},
		{"unknown algorithm", func(c *keys.Config) { c.Algorithm = "HS256" }, "HS256"},
		{"no lifetime", func(c *keys.Config) { c.TokenLifetime = 0 }, "token lifetime"},
		{"skew", func(c *keys.Config) { c.Skew = time.Hour }, "1h0m0s is not within 0s to 10m0s"},
		{"max-age", func(c *keys.Config) { c.MaxAge = 301 * time.Second }, "max-age"},
		{"cache time", func(c *keys.Config) { c.CacheTime = -1 }, "cache time"},
		{"a rotation every minute", func(c *keys.Config) { c.RotateEvery = time.Minute }, "rotation interval"},
		{"a set of hundreds of keys", func(c *keys.Config) {
			c.RotateEvery, c.TokenLifetime = 24*time.Hour, 365*24*time.Hour
		}, "rotation interval"},
		{"daily rotation, tokens of 90 days", func(c *keys.Config) {
			c.RotateEvery, c.TokenLifetime = 24*time.Hour, 90*24*time.Hour
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := keys.DefaultConfig()
			test.change(&cfg)
			err := cfg.Validate()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}
