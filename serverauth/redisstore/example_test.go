package redisstore_test

import (
	"context"
	"fmt"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/store"
)

// A server that keeps everything in Redis: start as many as you like. The key is made by `openssl rand -base64 32`
// and belongs, like the password, into the environment (SERVER_AUTH__STORAGE_URL, SERVER_AUTH__KEY_ENCRYPTION_KEY).
func Example() {
	app.New(
		app.ConfigDefaults(map[string]any{"server_auth": map[string]any{
			"storage_url":        "rediss://picoauth@redis.example.com:6379/0",
			"key_encryption_key": "S0VZUyBBUkUgU0VBTEVEIEJZIFRISVMgRVhBTVBMRSE=",
		}}),
		serverauth.Module,
		clientauth.Module,
		redisstore.Module,
	)
}

// Redis for the challenges and sessions only: the rest is kept elsewhere.
func Example_split() {
	_ = fx.Options(
		app.ConfigMap(map[string]any{"server_auth": map[string]any{
			"data_dir":              "./picoauth-data",
			"challenge_storage_url": "redis://localhost:6379/1",
			"session_storage_url":   "redis://localhost:6379/1",
		}}),
		serverauth.Module,
		redisstore.Module,
	)
}

// Whatever server the sentinels have made the master, and the password that they want themselves.
func Example_sentinel() {
	_ = fx.Options(
		app.ConfigMap(map[string]any{"server_auth": map[string]any{
			"storage_url":        "redis+sentinel://:${ENV:REDIS_PASSWORD}@s1:26379,s2:26379,s3:26379/mymaster?sentinel_password=${ENV:SENTINEL_PASSWORD}",
			"key_encryption_key": "${ENV:KEY_ENCRYPTION_KEY}",
		}}),
		serverauth.Module,
		redisstore.Module,
	)
}

// An error never shows a part of the URL, which may be one of the password.
func ExampleBackend_Open() {
	_, err := redisstore.New().Open(context.Background(), store.BackendConfig{URL: "redis://:pass/word@localhost:6379"})
	fmt.Println(err)
	// Output:
	// is not redis://[user:password@]host[:port][/database], redis+sentinel://[user:password@]host:port[,host:port…]/master or redis+cluster://[user:password@]host:port[,host:port…], or rediss… for TLS (in a password each of / ? # [ ] @ : % must be percent-encoded, such as @ as %40)
}
