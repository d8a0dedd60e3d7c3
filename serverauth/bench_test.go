package serverauth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/compare"
)

// The benchmarks put a path of ours and its floor side by side; package compare says what the metrics are.
//
//	go test -run '^$' -bench . ./serverauth

// tokenSize is about how many bytes of an access token are signed.
const tokenSize = 700

// BenchmarkChallenge has an empty JSON endpoint as its floor.
func BenchmarkChallenge(b *testing.B) {
	ours := newCaller(b, benchEcho(b, nil), http.MethodPost, serverauth.Prefix+"/challenge")
	floor := emptyEndpoint(b, http.MethodPost)
	for name, address := range map[string]string{
		"raw":      "47dc67feb86b6a7c29df91915d723c2957b293b82be4b1c89d3b35879f07007d",
		"ethereum": "0x52908400098527886E0F7030069857D2E4169EE7",
	} {
		body := []byte(`{"address":"` + address + `"}`)
		b.Run(name, func(b *testing.B) {
			compare.Run(b, compare.Way{Do: func() { ours.call(body) }},
				compare.Way{Name: "floor", Do: func() { floor.call(body) }})
		})
	}
}

// BenchmarkSignIn has as its floor one verification of the wallet's signature, from the bytes of its key, and one
// signature of a token. It is the same wallet again and again.
func BenchmarkSignIn(b *testing.B) {
	text := make([]byte, tokenSize)
	for _, signing := range []string{"RS256", "ES256", "EdDSA", "ML-DSA-65"} {
		e := benchEcho(b, map[string]any{"algorithm": signing, "supported_wallet_algorithms": []string{
			"ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "Ed25519", "secp256k1", "eip191"}})
		ours := newCaller(b, e, http.MethodPost, serverauth.Prefix+"/sign-in")
		sign := signer(b, signing)
		for _, name := range testutil.WalletAlgorithms() {
			w := newWallet(b, name)
			b.Run(signing+"/"+name, func(b *testing.B) {
				requests := newProofs(b, e, w)
				verify := verifier(b, w, text[:64])
				compare.Run(b, compare.Way{Do: func() { ours.call(requests.next()) }, Prepare: requests.prepare},
					compare.Way{Name: "floor", Do: func() { verify(); sign(text) }})
			})
		}
	}
}

// BenchmarkFirstSignIn is BenchmarkSignIn of wallets whose keys the server does not remember.
func BenchmarkFirstSignIn(b *testing.B) {
	const strangers = 512
	text := make([]byte, tokenSize)
	for _, signing := range []string{"ES256", "EdDSA"} {
		e := benchEcho(b, map[string]any{"algorithm": signing, "supported_wallet_algorithms": []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}})
		ours := newCaller(b, e, http.MethodPost, serverauth.Prefix+"/sign-in")
		sign := signer(b, signing)
		for _, name := range []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"} {
			wallets := make([]*testutil.Wallet, strangers)
			for i := range wallets {
				wallets[i] = newWallet(b, name)
			}
			b.Run(signing+"/"+name, func(b *testing.B) {
				requests := newProofs(b, e, wallets...)
				verify := verifier(b, wallets[0], text[:64])
				compare.Run(b, compare.Way{Do: func() { ours.call(requests.next()) }, Prepare: requests.prepare},
					compare.Way{Name: "floor", Do: func() { verify(); sign(text) }})
			})
		}
	}
}

// BenchmarkRefresh has as its floor the one signature of the access token.
func BenchmarkRefresh(b *testing.B) {
	text := make([]byte, tokenSize)
	for _, signing := range []string{"RS256", "ES256", "EdDSA"} {
		b.Run(signing, func(b *testing.B) {
			e := benchEcho(b, map[string]any{"algorithm": signing})
			body := firstRefresh(b, e)
			ours := newCaller(b, e, http.MethodPost, serverauth.Prefix+"/refresh")
			sign := signer(b, signing)
			refresh := func() {
				ours.call(body)
				body = refreshOf(b, &ours.reply)
			}
			compare.Run(b, compare.Way{Do: refresh}, compare.Way{Name: "floor", Do: func() { sign(text) }})
		})
	}
}

// firstRefresh signs in and returns the request that refreshes the session.
func firstRefresh(b *testing.B, e *echo.Echo) []byte {
	requests := newProofs(b, e, newWallet(b, "Ed25519"))
	requests.prepare(1)
	signIn := newCaller(b, e, http.MethodPost, serverauth.Prefix+"/sign-in")
	signIn.call(requests.next())
	return refreshOf(b, &signIn.reply)
}

func refreshOf(b *testing.B, reply *bytes.Buffer) []byte {
	const mark = `"refresh_token":"`
	_, rest, found := bytes.Cut(reply.Bytes(), []byte(mark))
	require.True(b, found)
	token, _, _ := bytes.Cut(rest, []byte(`"`))
	return append(append([]byte(`{"refresh_token":"`), token...), `"}`...)
}

// BenchmarkLogin has as its floor the argon2id of the password (with the parameters that OWASP names) and one signature.
func BenchmarkLogin(b *testing.B) {
	const memory, passes, threads = 19 * 1024, 2, 1
	salt, password := []byte("a salt of 16 bytes"), "correct horse battery staple"
	hash := argon2.IDKey([]byte(password), salt, passes, memory, threads, 32)
	phc := fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(hash))
	e := benchEcho(b, map[string]any{"auto_create_admin": true, "admin_password": phc})
	ours := newCaller(b, e, http.MethodPost, serverauth.Prefix+"/login")
	body := []byte(`{"email":"admin@pico.local","password":"` + password + `"}`)
	sign, text := signer(b, "EdDSA"), make([]byte, tokenSize)
	compare.Run(b, compare.Way{Do: func() { ours.call(body) }}, compare.Way{Name: "floor", Do: func() {
		argon2.IDKey([]byte(password), salt, passes, memory, threads, 32)
		sign(text)
	}})
}

// BenchmarkJWKS has as its floor an endpoint of echo that answers the same bytes.
func BenchmarkJWKS(b *testing.B) {
	ours := newCaller(b, benchEcho(b, nil), http.MethodGet, serverauth.Prefix+"/jwks")
	ours.call(nil)
	body := json.RawMessage(bytes.Clone(ours.reply.Bytes()))
	e := echo.New()
	e.GET("/static", func(c echo.Context) error { return c.JSONBlob(http.StatusOK, body) })
	floor := newCaller(b, e, http.MethodGet, "/static")
	compare.Run(b, compare.Way{Do: func() { ours.call(nil) }}, compare.Way{Name: "floor", Do: func() { floor.call(nil) }})
}
