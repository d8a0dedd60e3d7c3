package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
)

// quiet is what every application in these tests begins with.
func quiet(options ...fx.Option) fx.Option {
	return fx.Options(
		app.ConfigMap(map[string]any{"app.port": 0}),
		fx.Decorate(func() *slog.Logger { return slog.New(slog.DiscardHandler) }),
		fx.Options(options...),
	)
}

// start runs the application for the length of the test and returns its base URL.
func start(t *testing.T, options ...fx.Option) string {
	t.Helper()
	var server *app.Server
	application := app.New(quiet(options...), fx.Populate(&server))
	if err := application.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := application.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + server.Addr().String()
}

func fetch(t *testing.T, method, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply, string(body)
}

func TestApplicationServes(t *testing.T) {
	var public app.PublicRoutes
	url := start(t, fx.Populate(&public), fx.Invoke(func(e *echo.Echo) {
		e.GET("/hello", func(c echo.Context) error { return c.String(http.StatusOK, "hello") })
	}))
	for _, test := range []struct{ method, path, body, length string }{
		{"GET", "/hello", "hello", "5"},
		{"HEAD", "/hello", "", "5"},
		{"GET", "/healthz", `{"status":"ok"}`, "15"},
		{"HEAD", "/healthz", "", "15"},
		{"GET", "/readyz", `{"status":"ready"}`, "18"},
	} {
		reply, body := fetch(t, test.method, url+test.path)
		if reply.StatusCode != 200 || body != test.body || reply.Header.Get("Content-Length") != test.length {
			t.Errorf("%s %s: got %d %q %v", test.method, test.path, reply.StatusCode, body, reply.Header)
		}
	}
	reply, body := fetch(t, http.MethodGet, url+"/none")
	if problem := problemIn(t, reply.Header, body); problem.Status != 404 {
		t.Errorf("got %s", body)
	}
	var open []string
	for _, route := range public {
		open = append(open, route.Method+" "+route.Path)
	}
	if !slices.Equal(open, []string{"GET /healthz", "GET /readyz", "GET /version", "GET /metrics"}) {
		t.Errorf("public routes: %v", open)
	}
}

func TestApplicationGraphIsComplete(t *testing.T) {
	err := fx.ValidateApp(app.Options(
		app.ConfigFile("application.yaml"),
		app.RegisterSection("store"),
		fx.Invoke(func(*koanf.Koanf, *echo.Echo, *slog.Logger, *app.Server, app.Settings, app.PublicRoutes, *app.RouteWatch, *app.Health) {
		}),
	))
	if err != nil {
		t.Error(err)
	}
}

func TestApplicationTakesReadinessChecksAndClock(t *testing.T) {
	clock := newClock()
	url := start(t,
		fx.Supply(app.Clock(clock.Now)),
		fx.Provide(fx.Annotate(func() app.ReadinessCheck { return check("store", errors.New("down")) }, fx.ResultTags(`group:"readiness"`))),
	)
	for range 2 {
		if reply, _ := fetch(t, http.MethodGet, url+"/readyz"); reply.StatusCode != 503 {
			t.Errorf("got %d", reply.StatusCode)
		}
	}
}

type greeter interface{ greet() string }

type polite struct{}

func (polite) greet() string { return "good day" }

type brief struct{}

func (brief) greet() string { return "hi" }

func TestDecorateAtTheRootReachesIntoModules(t *testing.T) {
	module := fx.Module("greetings",
		fx.Provide(func() greeter { panic("the replaced constructor must not run") }),
		fx.Invoke(func(e *echo.Echo, g greeter) {
			e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, g.greet()) })
		}),
	)
	url := start(t, module, fx.Decorate(func() greeter { return brief{} }))
	if _, body := fetch(t, http.MethodGet, url); body != "hi" {
		t.Errorf("the decorator was ignored: %q", body)
	}
}

func TestConfigurationOrder(t *testing.T) {
	path := writeFile(t, "store:\n  b: file\n  c: file\n  d: file\n")
	later := writeFile(t, "store:\n  c: file 2\n")
	t.Setenv("STORE__D", "environment")
	t.Setenv("STORE__E", "environment")
	t.Setenv("STORE__EMPTY", "")
	var k *koanf.Koanf
	application := app.New(
		app.ConfigMap(map[string]any{"store": map[string]any{"e": "map"}}),
		app.ConfigMap(map[string]any{"store.e": "map 2"}),
		app.ConfigFile(path),
		app.ConfigFile(later),
		app.ConfigDefaults(map[string]any{"store.a": "defaults", "store.b": "defaults", "store.empty": "defaults"}),
		app.ConfigDefaults(map[string]any{"store.a": "defaults 2"}),
		app.RegisterSection("store"),
		fx.Populate(&k),
	)
	if err := application.Err(); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(k.Get("store"))
	if want := "map[a:defaults 2 b:file c:file 2 d:environment e:map 2 empty:]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestErrIsTheRootCause(t *testing.T) {
	sentinel := errors.New("key_dir is not readable")
	tests := map[string]struct {
		option fx.Option
		want   string
	}{
		"constructor, three deep": {fx.Options(
			fx.Provide(func() (greeter, error) { return nil, fmt.Errorf("keys: %w", sentinel) }),
			fx.Provide(func(greeter) *polite { return nil }),
			fx.Invoke(func(*polite) {}),
		), "keys: key_dir is not readable"},
		"decorator":   {fx.Decorate(func(s app.Settings) (app.Settings, error) { return s, sentinel }), "key_dir is not readable"},
		"invocation":  {fx.Invoke(func() error { return sentinel }), "key_dir is not readable"},
		"fx.Error":    {fx.Error(sentinel), "key_dir is not readable"},
		"bad setting": {app.ConfigMap(map[string]any{"app.log_level": "loud"}), `app.log_level: "loud" is not one of debug, info, warn, error (ConfigMap)`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			application := app.New(test.option)
			if err := application.Err(); err == nil || err.Error() != test.want || name != "bad setting" && !errors.Is(err, sentinel) {
				t.Errorf("got %v", err)
			}
			if err := application.Start(t.Context()); err == nil || err.Error() != test.want {
				t.Errorf("Start: %v", err)
			}
		})
	}
	err := app.New(fx.Invoke(func(greeter) {})).Err()
	if err == nil || !strings.Contains(err.Error(), "missing type") || !strings.Contains(err.Error(), "application_test.go") {
		t.Errorf("a missing type must say who misses it: %v", err)
	}
}

func TestThePortOpensLastAndClosesFirst(t *testing.T) {
	var server *app.Server
	var events []string
	hook := func(lc fx.Lifecycle) {
		lc.Append(fx.Hook{
			OnStart: func(context.Context) error {
				events = append(events, fmt.Sprintf("start, listening: %t", server.Addr() != nil))
				return nil
			},
			OnStop: func(ctx context.Context) error {
				connection, err := new(net.Dialer).DialContext(ctx, "tcp", server.Addr().String())
				if err == nil {
					_ = connection.Close()
				}
				events = append(events, fmt.Sprintf("stop, listening: %t", err == nil))
				return nil
			},
		})
	}
	application := app.New(quiet(fx.Populate(&server), fx.Module("inner", fx.Invoke(hook)), fx.Invoke(hook)))
	if err := application.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	fetch(t, http.MethodGet, "http://"+server.Addr().String()+"/healthz")
	if err := application.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"start, listening: false", "start, listening: false", "stop, listening: false", "stop, listening: false"}
	if !slices.Equal(events, want) {
		t.Errorf("got %q", events)
	}
}

func TestNothingListensWhenAHookFails(t *testing.T) {
	var server *app.Server
	sentinel := errors.New("store is unreachable")
	stopped := false
	application := app.New(quiet(fx.Populate(&server), fx.Invoke(func(lc fx.Lifecycle) {
		lc.Append(fx.Hook{OnStop: func(context.Context) error { stopped = true; return nil }})
		lc.Append(fx.Hook{OnStart: func(context.Context) error { return sentinel }})
	})))
	if err := application.Start(t.Context()); !errors.Is(err, sentinel) || err.Error() != sentinel.Error() {
		t.Errorf("got %v", err)
	}
	if server.Addr() != nil || !stopped {
		t.Errorf("listening at %v, rolled back: %t", server.Addr(), stopped)
	}
}

func TestDuplicateRouteFailsTheStart(t *testing.T) {
	var server *app.Server
	application := app.New(quiet(fx.Populate(&server), fx.Invoke(func(e *echo.Echo) { e.GET("/healthz", nothing) })))
	if got := text(application.Start(t.Context())); got != "route GET /healthz is registered twice" {
		t.Errorf("got %v", got)
	}
	if server.Addr() != nil {
		t.Error("listening all the same")
	}
}

func TestBusyPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	address := listener.Addr().(*net.TCPAddr)
	application := app.New(quiet(), app.ConfigMap(map[string]any{"app.port": address.Port}))
	err = application.Start(t.Context())
	if want := fmt.Sprintf("cannot listen on %s (app.host, app.port): address already in use", address); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestHostThatDoesNotExist(t *testing.T) {
	application := app.New(quiet(), app.ConfigMap(map[string]any{"app.host": "192.0.2.1"}))
	if err := application.Start(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "cannot listen on 192.0.2.1:0 (app.host, app.port): ") {
		t.Errorf("got %v", err)
	}
}
