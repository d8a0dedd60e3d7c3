package serverauth_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// benchEcho is an embedded server's echo, called in process.
func benchEcho(b *testing.B, settings map[string]any) *echo.Echo {
	b.Helper()
	var e *echo.Echo
	all := map[string]any{"rate_limit_per_minute": 0, "algorithm": "EdDSA"}
	for name, value := range settings {
		all[name] = value
	}
	testutil.NewApp(b, app.ConfigMap(map[string]any{"server_auth": all}), serverauth.Module, populate(&e))
	return e
}

// discard is a response writer that keeps the status alone.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func serve(b *testing.B, h http.Handler, path string, body []byte) {
	request := httptest.NewRequest(http.MethodPost, path, nil)
	request.Header.Set("Content-Type", "application/json")
	w := &discard{header: http.Header{}}
	reader := bytes.NewReader(body)
	request.Body = io.NopCloser(reader)
	request.ContentLength = int64(len(body))
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		clear(w.header)
		h.ServeHTTP(w, request.WithContext(context.Background()))
	}
	require.Less(b, w.status, 400)
}

func BenchmarkChallenge(b *testing.B) {
	body := []byte(`{"address":"47dc67feb86b6a7c29df91915d723c2957b293b82be4b1c89d3b35879f07007d"}`)
	b.Run("ours", func(b *testing.B) {
		serve(b, benchEcho(b, nil), serverauth.Prefix+"/challenge", body)
	})
	b.Run("floor", func(b *testing.B) {
		e := echo.New()
		e.POST("/challenge", func(c echo.Context) error { return c.JSON(200, map[string]string{"a": "b"}) })
		serve(b, e, "/challenge", body)
	})
	b.Run("base", func(b *testing.B) {
		e, err := app.NewEcho(app.DefaultSettings(), discardLogger())
		require.NoError(b, err)
		e.POST("/challenge", func(c echo.Context) error { return c.JSON(200, map[string]string{"a": "b"}) })
		serve(b, e, "/challenge", body)
	})
}
