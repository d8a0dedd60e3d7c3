package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// tracerName is the instrumentation scope of all spans of this project.
const tracerName = "github.com/picoauth/picoauth"

var noSpan trace.Span = noop.Span{}

// StartSpan starts a span below the one in ctx, by the same tracer provider: the span of the request, whether app or
// other middleware started it. Without one that is recorded it does nothing, and costs nothing: what runs in the
// background has no spans. End the span with EndSpan.
func StartSpan(ctx context.Context, name string) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, noSpan
	}
	return parent.TracerProvider().Tracer(tracerName).Start(ctx, name)
}

// EndSpan ends a span. Of err it records the kind only, a problem's code or the type: the text may name somebody.
func EndSpan(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		kind := fmt.Sprintf("%T", err)
		if problem := (*Problem)(nil); errors.As(err, &problem) {
			kind = problem.Code
		}
		span.SetAttributes(attribute.String("error.type", kind))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// startSpan starts the span of a request, below that of its caller if the global propagator finds one in the header.
// The attributes are those of OpenTelemetry's conventions for an HTTP server that name nobody.
func (i *Instruments) startSpan(c echo.Context) trace.Span {
	if i == nil {
		return noSpan
	}
	provider := i.traces
	if provider == nil {
		if provider = otel.GetTracerProvider(); isPlaceholder(provider) {
			return noSpan
		}
	}
	r, method, name := c.Request(), methodLabel(c.Request().Method), ""
	attributes := []attribute.KeyValue{attribute.String("http.request.method", method)}
	if c.Path() != "" {
		name = " " + c.Path()
		attributes = append(attributes, attribute.String("http.route", c.Path()))
	}
	ctx := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := provider.Tracer(tracerName).Start(ctx, method+name,
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...))
	c.SetRequest(r.WithContext(ctx))
	return span
}

func endRequestSpan(span trace.Span, status int) {
	if span.IsRecording() {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}

// isPlaceholder tells whether a provider is the one that OpenTelemetry has until the program sets its own: its spans
// record nothing and yet are not free.
func isPlaceholder(provider trace.TracerProvider) bool {
	if provider == nil {
		return true
	}
	kind := reflect.TypeOf(provider)
	return kind.Kind() == reflect.Pointer && kind.Elem().PkgPath() == "go.opentelemetry.io/otel/internal/global"
}
