package app_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/app"
)

func TestNewLogger(t *testing.T) {
	for format, want := range map[string]string{
		"text": `level=WARN msg=full store=memory`,
		"json": `"level":"WARN","msg":"full","store":"memory"`,
	} {
		t.Run(format, func(t *testing.T) {
			settings := app.DefaultSettings()
			settings.LogFormat, settings.LogLevel = format, "warn"
			var log bytes.Buffer
			logger := app.NewLogger(settings, &log).With("store", "memory").WithGroup("g")
			logger.Info("quiet")
			logger.WarnContext(t.Context(), "full")
			if got := log.String(); !strings.Contains(got, want) || strings.Count(got, "\n") != 1 || strings.Contains(got, "request_id") {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestNewLoggerOfUnknownLevel(t *testing.T) {
	var log bytes.Buffer
	app.NewLogger(app.Settings{LogLevel: "loud"}, &log).Info("heard")
	if !strings.Contains(log.String(), "heard") {
		t.Error("settings that nobody validated must not silence the log")
	}
}
