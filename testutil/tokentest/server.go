package tokentest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// Server is an HTTP endpoint whose behaviour tests change while it runs.
type Server struct {
	*httptest.Server
	Requests atomic.Int64 // so far

	handler atomic.Pointer[http.HandlerFunc]
}

// NewServer returns a server that runs until the test ends.
func NewServer(tb testing.TB, handler http.HandlerFunc) *Server {
	s := &Server{}
	s.handler.Store(&handler)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Requests.Add(1)
		(*s.handler.Load())(w, r)
	}))
	tb.Cleanup(s.Close)
	return s
}

// Become replaces the handler.
func (s *Server) Become(handler http.HandlerFunc) { s.handler.Store(&handler) }

// ServeText replies with a text.
func ServeText(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// ServeStatus replies with a status and no body.
func ServeStatus(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// ServeKeys replies with a JWK Set. header are alternating names and values of the reply's header.
func ServeKeys(keys []Signer, header ...string) http.HandlerFunc {
	set := jose.Set{}
	for _, s := range keys {
		set.Keys = append(set.Keys, s.Key)
	}
	body := Must(json.Marshal(set))
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = w.Write(body)
	}
}
