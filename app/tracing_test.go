package app_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/picoauth/picoauth/app"
)

func newLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newTraces returns a tracer provider that keeps its spans.
func newTraces() (*trace.TracerProvider, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	return trace.NewTracerProvider(trace.WithSpanProcessor(spans)), spans
}

// tracedEcho has a route whose handler starts a span and ends with the given error.
func tracedEcho(t *testing.T, provider oteltrace.TracerProvider, logger *slog.Logger, answer error) *echo.Echo {
	t.Helper()
	instruments, err := app.NewInstruments(prometheus.NewRegistry(), provider)
	if err != nil {
		t.Fatal(err)
	}
	e, err := app.NewEcho(app.DefaultSettings(), logger, instruments)
	if err != nil {
		t.Fatal(err)
	}
	e.GET("/users/:id", func(c echo.Context) error {
		_, span := app.StartSpan(c.Request().Context(), "look up")
		app.EndSpan(span, answer)
		return answer
	})
	return e
}

func attributesOf(span trace.ReadOnlySpan) map[attribute.Key]string {
	values := make(map[attribute.Key]string)
	for _, kv := range span.Attributes() {
		values[kv.Key] = kv.Value.Emit()
	}
	return values
}

func TestSpanOfARequest(t *testing.T) {
	previous := otel.GetTextMapPropagator()
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Cleanup(func() { otel.SetTextMapPropagator(previous) })
	tests := map[string]struct {
		path, name, status, kind string
		err                      error
		server, inner            codes.Code
	}{
		"good":     {"/users/secret", "GET /users/:id", "200", "", nil, codes.Unset, codes.Unset},
		"refused":  {"/users/secret", "GET /users/:id", "403", "not_yours", app.NewProblem(403, "not_yours", "secret"), codes.Unset, codes.Error},
		"failed":   {"/users/secret", "GET /users/:id", "500", "*errors.errorString", errors.New("secret"), codes.Error, codes.Error},
		"no route": {"/secret", "GET", "404", "", nil, codes.Unset, codes.Unset},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			provider, spans := newTraces()
			e := tracedEcho(t, provider, newLogger(), test.err)
			r := httptest.NewRequest(http.MethodGet, test.path, nil)
			r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			r.Header.Set("X-Forwarded-Proto", "secret")
			request(e, r)
			ended := spans.Ended()
			server := ended[len(ended)-1]
			if server.Name() != test.name || server.SpanKind() != oteltrace.SpanKindServer || server.Status().Code != test.server {
				t.Errorf("got %s %v %v", server.Name(), server.SpanKind(), server.Status())
			}
			if server.Parent().SpanID().String() != "b7ad6b7169203331" || server.SpanContext().TraceID() != server.Parent().TraceID() {
				t.Errorf("not below its caller: %v", server.Parent())
			}
			attributes := attributesOf(server)
			if attributes["http.request.method"] != "GET" || attributes["http.response.status_code"] != test.status {
				t.Errorf("attributes %v", attributes)
			}
			if test.path == "/secret" {
				return
			}
			inner := ended[0]
			if len(ended) != 2 || inner.Name() != "look up" || inner.Parent().SpanID() != server.SpanContext().SpanID() ||
				inner.Status().Code != test.inner || attributesOf(inner)["error.type"] != test.kind {
				t.Errorf("got %d spans, %s %v %v", len(ended), inner.Name(), inner.Status(), inner.Attributes())
			}
			for _, span := range ended {
				for key, value := range attributesOf(span) {
					if value == "secret" || span.Status().Description != "" {
						t.Errorf("%s of %s tells a secret", key, span.Name())
					}
				}
			}
		})
	}
}

// One provider for the process: the test that sets it is the only one that may.
func TestGlobalTracerProvider(t *testing.T) {
	var log bytes.Buffer
	settings := app.DefaultSettings()
	settings.LogFormat = "json"
	e := tracedEcho(t, nil, app.NewLogger(settings, &log), nil)
	ask := func() { request(e, httptest.NewRequest(http.MethodGet, "/users/7", nil)) }
	ask()
	if line := logLines(t, &log)[0]; line["trace_id"] != nil {
		t.Errorf("log %v", line)
	}
	allocs := testing.AllocsPerRun(100, func() {
		_, span := app.StartSpan(context.Background(), "nothing")
		app.EndSpan(span, nil)
	})
	if allocs > 0 {
		t.Errorf("a span that nobody records makes %v allocations", allocs)
	}

	provider, spans := newTraces()
	placeholder := otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	t.Cleanup(func() { otel.SetTracerProvider(placeholder) })
	ask()
	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans", len(ended))
	}
	server := ended[1].SpanContext()
	if line := logLines(t, &log)[0]; line["trace_id"] != server.TraceID().String() || line["span_id"] != server.SpanID().String() {
		t.Errorf("log %v, span %v", line, server)
	}
}

func TestSpansThatAreNotSampled(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans), trace.WithSampler(trace.NeverSample()))
	e := tracedEcho(t, provider, newLogger(), nil)
	if w := request(e, httptest.NewRequest(http.MethodGet, "/users/7", nil)); w.Code != 200 || len(spans.Started()) != 0 {
		t.Errorf("%d, %d spans", w.Code, len(spans.Started()))
	}
}
