package main

import (
	"encoding/json"
	"net/http"

	"github.com/picoauth/picoauth/clientauth/verify"
)

// routes is the application. Whatever is not named before the last line needs a token, unknown paths too.
func routes(auth *verify.Authenticator) http.Handler {
	protected := http.NewServeMux()
	protected.HandleFunc("GET /api/profile", profile)
	protected.Handle("GET /api/admin/dashboard", verify.HasRole("admin").Handler(reply("welcome")))
	protected.Handle("GET /api/payments", verify.HasScope("treasury:read").Handler(reply("no payments")))

	mux := http.NewServeMux()
	mux.Handle("GET /health", reply("ok"))
	mux.Handle("GET /api/greeting", auth.OptionalHandler(http.HandlerFunc(greeting)))
	mux.Handle("/", auth.Handler(protected))
	return mux
}

func profile(w http.ResponseWriter, r *http.Request) {
	caller, _ := verify.FromContext(r.Context())
	write(w, map[string]string{"subject": caller.Subject, "role": caller.Role})
}

// greeting knows its caller, or does not.
func greeting(w http.ResponseWriter, r *http.Request) {
	name := "stranger"
	if caller, known := verify.FromContext(r.Context()); known {
		name = caller.Subject
	}
	write(w, map[string]string{"message": "hello, " + name})
}

func reply(message string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		write(w, map[string]string{"message": message})
	})
}

func write(w http.ResponseWriter, value map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // an error: the client has gone
}
