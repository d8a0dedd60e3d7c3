package serverauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth"
)

// traced is an app's tracer provider that keeps its spans.
func traced() (fx.Option, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	return fx.Provide(func() trace.TracerProvider { return provider }), spans
}

// tree draws the spans of the last request to a route, one a line in the order of their starts, indented by their depth.
func tree(t testing.TB, spans *tracetest.SpanRecorder, route string) string {
	t.Helper()
	var text strings.Builder
	depth := make(map[trace.SpanID]int)
	for _, span := range spans.Started() {
		if span.Name() == route {
			text.Reset()
			clear(depth)
		}
		if above, known := depth[span.Parent().SpanID()]; known {
			depth[span.SpanContext().SpanID()] = above + 1
		} else if span.Name() != route {
			continue
		} else {
			depth[span.SpanContext().SpanID()] = 0
		}
		text.WriteString(strings.Repeat("  ", depth[span.SpanContext().SpanID()]) + span.Name())
		if status := span.Status(); status.Code == codes.Error {
			text.WriteString(" failed")
		}
		text.WriteString("\n")
	}
	return text.String()
}

func TestSpansOfASignIn(t *testing.T) {
	option, spans := traced()
	s := startServer(t, nil, option)
	w := newWallet(t, "Ed25519")
	in := s.signIn(w)
	assert.Equal(t, `POST /api/v1/auth/sign-in
  challenge.spend
    challenges.validate
  signature.verify
  claims.provide
  sessions.create
  token.sign
`, tree(t, spans, "POST /api/v1/auth/sign-in"))

	s.refresh(in.Refresh).tokens(t)
	assert.Equal(t, `POST /api/v1/auth/refresh
  claims.provide
  sessions.rotate
  token.sign
`, tree(t, spans, "POST /api/v1/auth/refresh"))

	body := s.signInBody(w)
	body["signature"] = strings.Repeat("00", 64)
	s.post("/sign-in", body)
	assert.Equal(t, `POST /api/v1/auth/sign-in
  challenge.spend
    challenges.validate
  signature.verify failed
`, tree(t, spans, "POST /api/v1/auth/sign-in"))

	for _, span := range spans.Ended() {
		assert.Empty(t, span.Status().Description)
		assert.Empty(t, span.Events())
		for _, attribute := range span.Attributes() {
			for _, private := range []string{w.Address, in.Access, in.Refresh} {
				assert.NotContains(t, attribute.Value.Emit(), private)
			}
		}
	}
	for _, span := range spans.Started() {
		assert.True(t, strings.Contains(span.Name(), " ") || span.Parent().IsValid(), "%s is of no request", span.Name())
	}
}

func TestSpansOfAnOutage(t *testing.T) {
	option, spans := traced()
	o := &outage{}
	s := startServer(t, map[string]any{"session_storage_url": "outage:x"}, option, serverauth.AsBackend(func() *outage { return o }))
	in := s.signIn(newWallet(t, "Ed25519"))
	o.lasts.Store(true)
	require.Equal(t, http.StatusServiceUnavailable, s.refresh(in.Refresh).status)
	assert.Equal(t, `POST /api/v1/auth/refresh failed
  claims.provide
  sessions.rotate failed
`, tree(t, spans, "POST /api/v1/auth/refresh"))
	for _, span := range spans.Ended() {
		for _, attribute := range span.Attributes() {
			if attribute.Key == "error.type" {
				assert.Equal(t, "*errors.errorString", attribute.Value.AsString())
			}
		}
	}
}
