package testutil

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// Fault is how an [Endpoint] misbehaves. It gets the healthy endpoint, which it may use. The context of its requests
// ends when the fault does.
type Fault func(healthy http.Handler) http.Handler

// hugeBytes is more than any client reads of a denylist, which may be long.
const hugeBytes = 300 << 20

// Outage closes the connection without an answer.
func Outage() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}
}

// StatusCode answers with a status and an empty body.
func StatusCode(code int) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
}

// Slow answers after a delay, or when the fault ends.
func Slow(delay time.Duration) Fault {
	return func(healthy http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pause(r, delay)
			healthy.ServeHTTP(w, r)
		})
	}
}

// Drip sends the healthy answer one byte at a time, with a pause after each until the fault ends.
func Drip(interval time.Duration) Fault {
	return edited(func(w http.ResponseWriter, r *http.Request, body []byte) {
		for i := range body {
			if _, err := w.Write(body[i : i+1]); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			pause(r, interval)
		}
	})
}

// Truncated breaks off in the middle of the healthy answer.
func Truncated() Fault {
	return edited(func(w http.ResponseWriter, _ *http.Request, body []byte) {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

// Garbage answers 200 with a page for people, as a proxy or a captive portal does.
func Garbage() Fault { return body("<!doctype html><title>Welcome</title><p>Please accept our terms.") }

// Empty answers with lists that have nothing in them.
func Empty() Fault { return body(`{"keys":[],"items":[]}`) }

// Huge answers with keys that are none and items that hit nothing, 300 MiB of them.
func Huge() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			filler := []byte(strings.Repeat(`{"kty":"none"},`, 1000))
			for _, name := range []string{`{"keys":[`, `{}],"items":[`} {
				_, err := w.Write([]byte(name))
				for sent := 0; sent < hugeBytes/2; sent += len(filler) {
					if err != nil || r.Context().Err() != nil {
						return
					}
					_, err = w.Write(filler)
				}
			}
			_, _ = w.Write([]byte(`{}]}`))
		})
	}
}

// RedirectTo sends clients to another URL.
func RedirectTo(url string) Fault {
	return func(http.Handler) http.Handler { return http.RedirectHandler(url, http.StatusFound) }
}

// StrangeKeys puts keys before the issuer's own that a client does not know or cannot use: of unknown types and curves,
// broken, too weak, for encryption, without an id. A good client takes no notice.
func StrangeKeys() Fault {
	return edited(func(w http.ResponseWriter, _ *http.Request, body []byte) {
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal(body, &set); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		set.Keys = append(strangeKeys(), set.Keys...)
		writeJSON(w, set)
	})
}

func strangeKeys() (keys []json.RawMessage) {
	for _, key := range []string{
		`{"kty":"FUTURE","kid":"strange-1","alg":"FUTURE-1","use":"sig","pub":"AAAA"}`,
		`{"kty":"AKP","kid":"strange-2","alg":"SLH-DSA-SHA2-128s","use":"sig","pub":"AAAA"}`,
		`{"kty":"EC","kid":"strange-3","crv":"secp256k1","use":"sig",` +
			`"x":"eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g","y":"SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg"}`,
		`{"kty":"RSA","kid":"strange-4","use":"sig","e":"AQAB"}`,
		`{"kty":"RSA","kid":"strange-5","use":"sig","n":"sTkSm5yj","e":"AQAB"}`,
		`{"kty":"OKP","kid":"strange-6","crv":"X25519","use":"enc","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}`,
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		`{}`,
	} {
		keys = append(keys, json.RawMessage(key))
	}
	return keys
}

// body answers 200 with a text.
func body(text string) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	}
}

// edited lets send write what the healthy endpoint answers with 200; other answers stay as they are.
func edited(send func(w http.ResponseWriter, r *http.Request, body []byte)) Fault {
	return func(healthy http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			healthy.ServeHTTP(answer, r)
			for name, values := range answer.Header() {
				w.Header()[name] = values
			}
			if answer.Code != http.StatusOK {
				w.WriteHeader(answer.Code)
				return
			}
			send(w, r, answer.Body.Bytes())
		})
	}
}

// pause waits until the time is over, the fault ends or the client has gone.
func pause(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}
