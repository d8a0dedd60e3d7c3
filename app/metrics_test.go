package app_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// requestCount is the name of the series that counts requests.
func requestCount(method, route, status string) string {
	return fmt.Sprintf("picoauth_http_request_duration_seconds_count{method=%q,route=%q,status=%q}", method, route, status)
}

func scrape(t *testing.T, url string) map[string]float64 {
	t.Helper()
	series, err := testutil.Scrape(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return series
}

func TestMetricsOfRequests(t *testing.T) {
	url := start(t, fx.Invoke(func(e *echo.Echo) {
		e.GET("/users/:id", func(c echo.Context) error { return c.String(http.StatusAccepted, c.Param("id")) })
		e.GET("/panic", func(echo.Context) error { panic("lost") })
		e.POST("/only-post", nothing)
	}))
	for i := range 50 {
		fetch(t, "GET", fmt.Sprintf("%s/users/%d", url, i))
		fetch(t, "GET", fmt.Sprintf("%s/unknown/%d", url, i))
		fetch(t, fmt.Sprintf("METHOD%d", i), url+"/healthz")
	}
	fetch(t, "GET", url+"/panic")
	fetch(t, "GET", url+"/only-post")
	fetch(t, "HEAD", url+"/healthz")
	series := scrape(t, url)
	for name, want := range map[string]float64{
		requestCount("GET", "/users/:id", "2xx"):   50,
		requestCount("GET", "unknown", "4xx"):      50,
		requestCount("other", "/healthz", "4xx"):   50,
		requestCount("GET", "/panic", "5xx"):       1,
		requestCount("GET", "/only-post", "4xx"):   1,
		requestCount("HEAD", "/healthz", "2xx"):    1,
		requestCount("GET", "/never/asked", "2xx"): 0,
	} {
		if series[name] != want {
			t.Errorf("%s is %v, want %v", name, series[name], want)
		}
	}
	counts := 0
	for name := range series {
		if strings.HasPrefix(name, "picoauth_http_request_duration_seconds_count") {
			counts++
		}
	}
	if counts != 6 {
		t.Errorf("%d series of requests", counts)
	}
	if series["go_goroutines"] == 0 || series["process_start_time_seconds"] == 0 {
		t.Error("nothing about the process")
	}
}

func TestStatusThatDoesNotExist(t *testing.T) {
	metrics := prometheus.NewRegistry()
	instruments, err := app.NewInstruments(metrics, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := app.NewEcho(app.DefaultSettings(), newLogger(), instruments)
	if err != nil {
		t.Fatal(err)
	}
	e.GET("/", func(c echo.Context) error { return c.NoContent(999) })
	request(e, httptest.NewRequest(http.MethodGet, "/", nil))
	families, err := metrics.Gather()
	if err != nil || len(families) != 1 {
		t.Fatal(families, err)
	}
	if got := families[0].GetMetric()[0].GetLabel()[2].GetValue(); got != "other" {
		t.Errorf("status %q", got)
	}
	if _, err := app.NewInstruments(metrics, nil); err == nil {
		t.Error("registered twice")
	}
}

func TestMetricsInTheRegistryOfTheHost(t *testing.T) {
	own := prometheus.NewCounter(prometheus.CounterOpts{Name: "host_things_total", Help: "Things."})
	labelled := func(r prometheus.Registerer) prometheus.Registerer {
		return prometheus.WrapRegistererWith(prometheus.Labels{"zone": "a"}, r)
	}
	probed := requestCount("GET", "/healthz", "2xx")
	zoned := strings.Replace(probed, "}", `,zone="a"}`, 1)
	tests := map[string]struct {
		option fx.Option
		series string
	}{
		"of the app": {fx.Invoke(func(r *prometheus.Registry) { r.MustRegister(own) }), probed},
		"replaced": {fx.Decorate(func() *prometheus.Registry {
			r := prometheus.NewRegistry()
			r.MustRegister(own)
			return r
		}), probed},
		"provided": {fx.Provide(func() prometheus.Registerer {
			r := prometheus.NewRegistry()
			r.MustRegister(own)
			return r
		}), probed},
		"wrapped": {fx.Provide(func(r *prometheus.Registry) prometheus.Registerer {
			r.MustRegister(own)
			return labelled(r)
		}), zoned},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			url := start(t, test.option)
			fetch(t, "GET", url+"/healthz")
			series := scrape(t, url)
			if _, there := series["host_things_total"]; !there || series[test.series] != 1 {
				t.Errorf("got %v", series)
			}
		})
	}
}

func TestAdminPort(t *testing.T) {
	port := services.FreePort(t)
	var public app.PublicRoutes
	var server *app.Server
	application := app.New(quiet(fx.Populate(&public, &server)), app.ConfigMap(map[string]any{"app.admin_port": port}))
	if err := application.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	url, admin := "http://"+server.Addr().String(), fmt.Sprintf("http://127.0.0.1:%d", port)
	if reply, _ := fetch(t, "GET", url+"/metrics"); reply.StatusCode != 404 {
		t.Errorf("on the main port: %s", reply.Status)
	}
	if len(public) != 3 {
		t.Errorf("%d public routes", len(public))
	}
	if series := scrape(t, admin); series[requestCount("GET", "unknown", "4xx")] != 1 {
		t.Errorf("got %v", series)
	}
	for method, want := range map[string]int{"HEAD": 200, "POST": 405} {
		if reply, _ := fetch(t, method, admin+"/metrics"); reply.StatusCode != want {
			t.Errorf("%s: %s", method, reply.Status)
		}
	}
	if reply, _ := fetch(t, "GET", admin+"/healthz"); reply.StatusCode != 404 {
		t.Errorf("the admin port has more than metrics: %s", reply.Status)
	}
	if err := application.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		t.Errorf("the port is still open: %v", err)
	} else {
		_ = listener.Close()
	}
}

func TestBusyAdminPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	address := listener.Addr().(*net.TCPAddr)
	var server *app.Server
	application := app.New(quiet(fx.Populate(&server)), app.ConfigMap(map[string]any{"app.admin_port": address.Port}))
	err = application.Start(t.Context())
	want := fmt.Sprintf("cannot listen on %s (app.host, app.admin_port): address already in use", address)
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if server.Addr() != nil {
		t.Error("listening all the same")
	}
}

// A start that fails at the main port gives the admin port back.
func TestBusyPortWithAdminPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	port := services.FreePort(t)
	application := app.New(quiet(), app.ConfigMap(map[string]any{
		"app.port": listener.Addr().(*net.TCPAddr).Port, "app.admin_port": port,
	}))
	if err := application.Start(t.Context()); err == nil {
		t.Fatal("started on a busy port")
	}
	again, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}
