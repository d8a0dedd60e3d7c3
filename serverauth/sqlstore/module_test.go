package sqlstore_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/sqlstore"
	"github.com/picoauth/picoauth/testutil/services"
)

// start starts a server and returns its key set.
func start(t *testing.T, settings map[string]any) (jwks string, err error) {
	t.Helper()
	settings["algorithm"] = "EdDSA"
	var server *app.Server
	running := app.New(
		app.ConfigMap(map[string]any{"app": map[string]any{"port": 0, "log_level": "error"}, "server_auth": settings}),
		serverauth.Module, sqlstore.Module, fx.Populate(&server),
	)
	if err := running.Start(t.Context()); err != nil {
		return "", err
	}
	t.Cleanup(func() {
		if err := running.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	reply, err := http.Get("http://" + server.Addr().String() + "/api/v1/auth/jwks")
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	return string(body), err
}

// Two servers on one database have one key set, and so has each that comes after them.
func TestTwoServers(t *testing.T) {
	server := services.Postgres(t, "fsync=off")
	for name, settings := range map[string]func() map[string]any{
		"sqlite": func() map[string]any { return map[string]any{"data_dir": t.TempDir()} },
		"postgres": func() map[string]any {
			return map[string]any{"storage_url": server.URL(), "key_encryption_key": strings.Repeat("0123", 16)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			same := settings()
			one, err := start(t, same)
			if err != nil {
				t.Fatal(err)
			}
			other, err := start(t, same)
			if err != nil || one != other || !strings.Contains(one, `"kid"`) {
				t.Errorf("%v: %s and %s", err, one, other)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	server := services.Postgres(t, "fsync=off")
	for name, test := range map[string]struct {
		settings map[string]any
		names    string
	}{
		"no encryption key":  {map[string]any{"storage_url": server.URL()}, "server_auth.key_encryption_key"},
		"an unknown scheme":  {map[string]any{"storage_url": "mysql://" + server.Password() + "@localhost/"}, "server_auth.storage_url"},
		"a wrong parameter":  {map[string]any{"storage_url": server.URL() + "&pool_max_conns=x"}, "server_auth.storage_url"},
		"an unusable folder": {map[string]any{"data_dir": "/proc/nowhere"}, "/proc/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := start(t, test.settings)
			if err == nil || !strings.Contains(err.Error(), test.names) || strings.Contains(err.Error(), server.Password()) {
				t.Errorf("got %v", err)
			}
		})
	}
}
