package app

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"
)

const metricsPath = "/metrics"

// Labels for routes, and for methods and statuses, that are not known.
const (
	unknownRoute = "unknown"
	otherLabel   = "other"
)

// instruments measure the requests of an echo:
//
//	picoauth_http_request_duration_seconds{method,route,status}
//
// route is the path template and status the class, such as 2xx, so that clients cannot create series. The instruments also start a
// span for each request. A nil *instruments measures nothing.
type instruments struct {
	requests *prometheus.HistogramVec
	series   Memo[requestKind, prometheus.Observer]
	traces   trace.TracerProvider // nil: the global one
}

// requestKind are the labels of a request.
type requestKind struct{ method, route, status string }

// newInstruments registers the metrics. If traces is nil, the global tracer provider of OpenTelemetry is used, as soon as
// the program sets one.
func newInstruments(metrics prometheus.Registerer, traces trace.TracerProvider) (*instruments, error) {
	i := &instruments{
		traces: traces,
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "picoauth_http_request_duration_seconds",
			Help:    "Time to answer an HTTP request, by the route's template and the class of the status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route", "status"}),
	}
	if err := metrics.Register(i.requests); err != nil {
		return nil, fmt.Errorf("app: register metrics: %w", err)
	}
	return i, nil
}

// observe records a finished request.
func (i *instruments) observe(c echo.Context, took time.Duration) {
	if i == nil {
		return
	}
	kind := requestKind{methodLabel(c.Request().Method), routeLabel(c), statusLabel(c.Response().Status)}
	i.series.Get(kind, i.seriesOf).Observe(took.Seconds())
}

func (i *instruments) seriesOf(kind requestKind) prometheus.Observer {
	return i.requests.WithLabelValues(kind.method, kind.route, kind.status)
}

func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return otherLabel
}

func routeLabel(c echo.Context) string {
	if template := c.Path(); template != "" {
		return template
	}
	return unknownRoute
}

func statusLabel(status int) string {
	classes := [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}
	if class := status/100 - 1; class >= 0 && class < len(classes) {
		return classes[class]
	}
	return otherLabel
}

// newRegistry returns a registry with the metrics of the process, of its Go runtime and of its build.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newBuildMetric())
	return registry
}

// metrics is the handler of GET /metrics.
type metrics http.Handler

// newMetrics serves the metrics. The route is anonymous, so concurrent scrapes share one result. A collector that fails is
// logged and left out.
func newMetrics(telemetry Telemetry, logger *slog.Logger) metrics {
	return promhttp.HandlerFor(telemetry.gatherer(), promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError, CoalesceGather: true,
	})
}
