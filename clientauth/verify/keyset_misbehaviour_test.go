package verify_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// Every way in which an endpoint can misbehave: the answer is an error within the bound, and the keys that were there
// stay.
func TestMisbehavingEndpoints(t *testing.T) {
	one := fresh(jose.EdDSA)
	elsewhere := newServer(t, serveKeys([]signer{one}))
	hang := make(chan struct{})
	t.Cleanup(func() {
		close(hang)
		if n := elsewhere.Requests.Load(); n != 0 {
			t.Errorf("a redirect to another origin was followed %d times", n)
		}
	})
	for name, handler := range map[string]http.HandlerFunc{
		"error":          serveStatus(http.StatusServiceUnavailable),
		"not found":      serveStatus(http.StatusNotFound),
		"no content":     serveStatus(http.StatusNoContent),
		"HTML":           serveText("<html>login</html>"),
		"empty":          serveText(""),
		"truncated":      serveText(`{"keys":[{"kty":`),
		"no keys":        serveText(`{"error":"x"}`),
		"empty set":      serveText(`{"keys":[]}`),
		"only strangers": serveText(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"XYZ"}]}`),
		"too many keys":  serveText(`{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"kty":"XYZ"},`, 101), ",") + `]}`),
		"huge":           func(w http.ResponseWriter, _ *http.Request) { endless(w) },
		"huge header":    func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) },
		"never answers":  func(_ http.ResponseWriter, q *http.Request) { wait(q, hang) },
		"never ends": func(w http.ResponseWriter, q *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[`))
			flush(w)
			wait(q, hang)
		},
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"lies of length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9999")
			_, _ = w.Write([]byte("{}"))
		},
		"elsewhere": func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, elsewhere.URL, http.StatusFound) },
		"elsewhere, 307": func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"redirect loop":   func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "/jwks", http.StatusFound) },
		"redirect to ftp": func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "ftp://x/", http.StatusFound) },
		"garbled gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("x"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRemote(t, handler)
			r.RemoteKeySet = r.set(t, verify.RemoteKeySetConfig{Timeout: time.Second})
			began := time.Now()
			if err, _ := r.ask(one); !errors.Is(err, verify.ErrKeysUnavailable) {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("answered after %v", took)
			}
			r.server.Become(serveKeys([]signer{one}))
			r.clock.Move(time.Second)
			if err, _ := r.ask(one); err != nil {
				t.Fatalf("it did not recover: %v", err)
			}
			r.server.Become(handler)
			r.clock.Move(6 * time.Minute)
			if err, _ := r.ask(one); err != nil {
				t.Errorf("the keys that were there: %v", err)
			}
		})
	}
}

func TestARedirectOnTheSameOriginIsFollowed(t *testing.T) {
	one := fresh(jose.EdDSA)
	r := newRemote(t, func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/moved" {
			http.Redirect(w, q, "/moved", http.StatusMovedPermanently)
			return
		}
		serveKeys([]signer{one})(w, q)
	})
	r.expect(t, "moved", one, nil, 2)
}

func TestStrangeKeysDoNotSpoilASet(t *testing.T) {
	one := fresh(jose.EdDSA)
	good := string(must(one.Key.MarshalJSON()))
	r := newRemote(t, serveText(`{"keys":[{"kty":"XYZ","kid":"a"},{"kty":"RSA","kid":"`+one.Key.ID+`","n":"AQAB","e":"AQAB"},7,`+good+`]}`))
	r.expect(t, "first", one, nil, 1)
}

func TestTheURLOfAnEndpoint(t *testing.T) {
	for url, valid := range map[string]bool{
		"https://auth.example.com/jwks": true, "http://localhost:8100/jwks": true, "http://127.0.0.1/jwks": true, "http://127.8.9.1:80/": true,
		"http://[::1]:9/jwks": true, "http://auth.example.com/jwks": false, "http://localhost.evil.example/": false, "http://10.0.0.1/": false,
		"ftp://auth.example.com/": false, "file:///etc/passwd": false, "auth.example.com/jwks": false, "": false, "https://": false,
		"https://user:secret@auth.example.com/": false, "https://auth.example.com/#x": false, "https://exa mple/": false, "//x": false,
	} {
		_, err := verify.NewRemoteKeySet(verify.RemoteKeySetConfig{URL: url})
		if (err == nil) != valid {
			t.Errorf("%q: %v", url, err)
		}
		if _, err := verify.NewRemoteDenylist(verify.RemoteDenylistConfig{URL: url}); (err == nil) != valid {
			t.Errorf("denylist %q: %v", url, err)
		}
	}
	if _, err := verify.NewRemoteKeySet(verify.RemoteKeySetConfig{URL: "http://10.0.0.1/", InsecureAllowHTTP: true}); err != nil {
		t.Error(err)
	}
}

func endless(w http.ResponseWriter) {
	chunk := []byte(strings.Repeat(" ", 64<<10))
	for range 64 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func wait(r *http.Request, until <-chan struct{}) {
	select {
	case <-until:
	case <-r.Context().Done():
	}
}

func flush(w http.ResponseWriter) { w.(http.Flusher).Flush() }
