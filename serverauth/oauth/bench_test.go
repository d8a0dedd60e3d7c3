package oauth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/testutil/compare"
)

// discard is a reply of which nothing but the status is kept.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkTokenCode exchanges codes for tokens. Its floor is the cryptography of an exchange.
func BenchmarkTokenCode(b *testing.B) {
	for name, scope := range map[string]string{"openid": "openid profile groups", "no_id_token": "read"} {
		b.Run(name, func(b *testing.B) {
			e := startEcho(b, nil)
			codes := newCodes(b, e, scope)
			request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, oauth.Prefix+"/token", nil)
			require.NoError(b, err)
			request.RemoteAddr = "192.0.2.1:1"
			request.Header.Set(echo.HeaderContentType, echo.MIMEApplicationForm)
			request.SetBasicAuth("grafana", url.QueryEscape(clientSecret))
			var body bytes.Reader
			exchange := func() {
				text := codes.next()
				body.Reset(text)
				request.ContentLength = int64(len(text))
				request.Body = io.NopCloser(&body)
				reply := discard{header: http.Header{}}
				if e.ServeHTTP(&reply, request); reply.status != http.StatusOK {
					b.Fatal("status ", reply.status)
				}
			}
			cryptography := newCryptography(b, name == "openid")
			compare.Run(b, compare.Way{Do: exchange, Prepare: codes.prepare}, compare.Way{Name: "floor", Do: cryptography})
		})
	}
}

// newCryptography is what an exchange cannot do without, over texts of their real sizes: the signatures of the tokens, the
// MACs of the code, of its nonce (of which there are two), of the session's row and of the refresh token, and the hashes of the
// client's secret, of the verifier and of the access token in the ID token.
func newCryptography(b *testing.B, withIDToken bool) func() {
	b.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(b, err)
	keyed := hmac.New(sha256.New, make([]byte, 32))
	var sum [sha256.Size]byte
	mac := func(text []byte) {
		keyed.Reset()
		keyed.Write(text)
		keyed.Sum(sum[:0])
	}
	text := make([]byte, 1024)
	return func() {
		ed25519.Sign(private, text[:720]) // an access token is 780 bytes, of which 86 are the signature
		mac(text[:520])
		mac(text[:16])
		mac(text[:60])
		mac(text[:330])
		mac(text[:470])
		sha256.Sum256(text[:42])
		sha256.Sum256(text[:43])
		if withIDToken {
			sha512.Sum512(text[:800])
			ed25519.Sign(private, text[:560])
		}
	}
}

// codes are bodies of requests, each with a code of its own.
type codes struct {
	b      *testing.B
	e      *echo.Echo
	cookie string
	asked  ask
	ready  [][]byte
}

// newCodes signs in at a browser, so that each further request gets its code at once.
func newCodes(b *testing.B, e *echo.Echo, scope string) *codes {
	b.Helper()
	c := &codes{b: b, e: e, asked: newAsk("scope", scope)}
	w := newWallet(b, "eip191")
	page := answer{body: serve(e, http.MethodGet, oauth.Prefix+"/authorize", "", c.asked.Encode()).Body.String()}
	c.cookie = signInEcho(b, e, page.fields().Get("request"), w)
	return c
}

func (c *codes) prepare(n int) {
	for len(c.ready) < n {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, oauth.Prefix+"/authorize?"+c.asked.Encode(), nil)
		require.NoError(c.b, err)
		request.RemoteAddr = "192.0.2.1:1"
		request.Header.Set("Cookie", c.cookie)
		reply := discard{header: http.Header{}}
		c.e.ServeHTTP(&reply, request)
		location, err := url.Parse(reply.header.Get("Location"))
		require.NoError(c.b, err)
		form := url.Values{
			"grant_type": {"authorization_code"}, "code": {location.Query().Get("code")}, "redirect_uri": {redirect}, "code_verifier": {c.asked.verifier},
		}
		require.NotEmpty(c.b, form.Get("code"))
		c.ready = append(c.ready, []byte(form.Encode()))
	}
}

func (c *codes) next() []byte {
	last := c.ready[len(c.ready)-1]
	c.ready = c.ready[:len(c.ready)-1]
	return last
}
