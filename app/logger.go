package app

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/fx/fxevent"
)

// NewLogger returns the logger that settings describe, writing to w. A record
// that is logged with a request's context carries its request_id, and the
// trace_id and span_id of the span that it belongs to, if there is one.
func NewLogger(settings Settings, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(settings.LogLevel)); err != nil {
		level = slog.LevelInfo // settings that nobody validated
	}
	options := &slog.HandlerOptions{Level: level}
	if settings.LogFormat == "json" {
		return slog.New(requestHandler{slog.NewJSONHandler(w, options)})
	}
	return slog.New(requestHandler{slog.NewTextHandler(w, options)})
}

// requestHandler adds the request's id, and the trace's, to each record.
type requestHandler struct{ slog.Handler }

func (h requestHandler) Handle(ctx context.Context, record slog.Record) error {
	if id := RequestID(ctx); id != "" {
		record.AddAttrs(slog.String("request_id", id))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		record.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, record)
}

func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}

// eventLogger passes fx's events to the application's logger, all at debug
// level: whatever fails reaches the user as the error of New, Start or Stop.
// Until that logger exists the events are dropped; fx's own fallback would
// write pages to standard error when the configuration is wrong.
type eventLogger struct {
	target atomic.Pointer[fxevent.SlogLogger]
}

func (l *eventLogger) use(logger *slog.Logger) {
	target := &fxevent.SlogLogger{Logger: logger}
	target.UseLogLevel(slog.LevelDebug)
	target.UseErrorLevel(slog.LevelDebug)
	l.target.Store(target)
}

// LogEvent implements fxevent.Logger.
func (l *eventLogger) LogEvent(event fxevent.Event) {
	if target := l.target.Load(); target != nil {
		target.LogEvent(event)
	}
}
