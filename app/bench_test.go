package app_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/testutil/compare"
)

// unread is the writer of a reply that nobody reads.
type unread struct{ header http.Header }

func (u *unread) Header() http.Header         { return u.header }
func (u *unread) WriteHeader(int)             {}
func (u *unread) Write(p []byte) (int, error) { return len(p), nil }

// again returns a function that sends one request again and again to a handler.
func again(h http.Handler, body string) func() {
	w, reader := &unread{http.Header{}}, new(bytes.Reader)
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Content-Type", "application/json")
	r.Body, r.ContentLength = io.NopCloser(reader), int64(len(body))
	return func() {
		reader.Reset([]byte(body))
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// BenchmarkBase is what the base middleware adds to an empty endpoint: x_floor is the ratio to one without it.
func BenchmarkBase(b *testing.B) {
	empty := func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"a": "b"}) }
	bare := echo.New()
	bare.POST("/", empty)
	for name, logger := range map[string]*slog.Logger{
		"silent": slog.New(slog.DiscardHandler),
		"logged": app.NewLogger(app.DefaultSettings(), io.Discard),
	} {
		instruments, err := app.NewInstruments(prometheus.NewRegistry(), nil)
		if err != nil {
			b.Fatal(err)
		}
		e, err := app.NewEcho(app.DefaultSettings(), logger, instruments)
		if err != nil {
			b.Fatal(err)
		}
		e.POST("/", empty)
		b.Run(name, func(b *testing.B) {
			compare.Run(b, compare.Way{Do: again(e, "{}")}, compare.Way{Name: "floor", Do: again(bare, "{}")})
		})
	}
}

// BenchmarkDecodeJSON has a body like that of a challenge, and one like that of a sign-in with ML-DSA-87.
func BenchmarkDecodeJSON(b *testing.B) {
	type request struct {
		Address   string `json:"address"`
		Algorithm string `json:"algorithm"`
		Signature string `json:"signature"`
	}
	for name, body := range map[string]string{
		"small": `{"address":"47dc67feb86b6a7c29df91915d723c2957b293b82be4b1c89d3b35879f07007d","algorithm":"Ed25519"}`,
		"large": `{"address":"` + string(bytes.Repeat([]byte("a"), 5184)) + `","signature":"` + string(bytes.Repeat([]byte("b"), 9254)) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			var into request
			ours := again(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = app.DecodeJSON(w, r, &into) }), body)
			compare.Run(b, compare.Way{Do: ours})
		})
	}
}
