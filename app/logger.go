package app

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/fx/fxevent"
)

// NewLogger returns a logger that writes to w, with the format and level of the settings. A record that is logged with a request's
// context contains request_id and, if there is a span, trace_id and span_id.
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

// requestHandler adds the ids of the request and of the trace to each record.
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

// eventLogger writes fx's events to the application's logger, all at debug level, because New, Start and Stop return the errors.
// It drops events until that logger exists: fx's default logger would write many lines to standard error if the configuration is
// invalid.
type eventLogger struct {
	mu     sync.Mutex
	graph  graphEvents
	target atomic.Pointer[fxevent.SlogLogger]
}

func (l *eventLogger) use(logger *slog.Logger) {
	target := &fxevent.SlogLogger{Logger: logger}
	target.UseLogLevel(slog.LevelDebug)
	target.UseErrorLevel(slog.LevelDebug)
	l.target.Store(target)
}

// checkGraph refuses decorators without effect.
func (l *eventLogger) checkGraph() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.graph.check()
}

// modules returns the names of the modules in the graph.
func (l *eventLogger) modules() modules {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.graph.modules)
}

// LogEvent implements fxevent.Logger.
func (l *eventLogger) LogEvent(event fxevent.Event) {
	l.mu.Lock()
	l.graph.note(event)
	l.mu.Unlock()
	if target := l.target.Load(); target != nil {
		target.LogEvent(event)
	}
}
