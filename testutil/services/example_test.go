package services_test

import (
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// What an app does while its Redis is away. The server ends with the test.
func ExampleRedis() {
	testOutage := func(t *testing.T) { // func TestOutage(t *testing.T) in a file of yours
		redis := services.Redis(t)
		running := testutil.NewApp(t, serverauth.Module, redisstore.Module, app.ConfigMap(map[string]any{
			"server_auth.storage_url": redis.URL(), "server_auth.key_dir": t.TempDir(),
		}))
		redis.Pause(t)
		if err := testutil.Get(t.Context(), running.URL+"/readyz", "", nil); err == nil {
			t.Error("ready without Redis")
		}
		redis.Resume(t)
	}
	_ = testOutage
}
