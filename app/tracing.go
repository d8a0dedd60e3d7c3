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

// StartSpan starts a child of the span in ctx with the same tracer provider. The span in ctx is that of the request, whether app
// or other middleware started it. If ctx has no span that is recorded, as in background tasks, StartSpan does nothing. End the
// span with EndSpan.
func StartSpan(ctx context.Context, name string) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, noSpan
	}
	return parent.TracerProvider().Tracer(tracerName).Start(ctx, name)
}

// EndSpan ends a span. Of err it records only the code of a problem or the type, because the text may contain personal data.
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

// startSpan starts the span of a request, as a child of the caller's span if the global propagator finds one in the header. The
// attributes follow OpenTelemetry's semantic conventions for HTTP servers, without those that contain personal data.
func (i *instruments) startSpan(c echo.Context) trace.Span {
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

// isPlaceholder reports whether a provider is the default one of OpenTelemetry, used until the program sets another: its spans
// record nothing but still cost time.
func isPlaceholder(provider trace.TracerProvider) bool {
	if provider == nil {
		return true
	}
	kind := reflect.TypeOf(provider)
	return kind.Kind() == reflect.Pointer && kind.Elem().PkgPath() == "go.opentelemetry.io/otel/internal/global"
}
