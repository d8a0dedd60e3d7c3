package serverauth_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

// crowd is a server whose ClaimsProvider lets nobody go on until the gate opens.
type crowd struct {
	*server
	echo   *echo.Echo
	seats  int
	inside chan struct{} // one for each that has come to the provider
	gate   chan struct{}
	wallet *testutil.Wallet
	all    sync.WaitGroup
}

func startCrowd(t *testing.T, settings map[string]any) *crowd {
	t.Helper()
	c := &crowd{
		seats: 128 * runtime.GOMAXPROCS(0), inside: make(chan struct{}, 1<<16), gate: make(chan struct{}), wallet: newWallet(t, "Ed25519"),
	}
	provider := claimsFunc(func(ctx context.Context, _ store.Subject) (serverauth.Claims, error) {
		c.inside <- struct{}{}
		select {
		case <-c.gate:
			return serverauth.Claims{}, nil
		case <-ctx.Done():
			return serverauth.Claims{}, ctx.Err()
		}
	})
	c.server = startServer(t, settings, testutil.WithClaimsProvider(provider), populate(&c.echo))
	return c
}

// fill takes every seat with a sign-in.
func (c *crowd) fill(t *testing.T) {
	t.Helper()
	for range c.seats {
		body := c.signInBody(c.wallet)
		c.all.Go(func() { assert.Equal(t, http.StatusOK, c.post("/sign-in", body).status) })
	}
	for range c.seats {
		select {
		case <-c.inside:
		case <-time.After(30 * time.Second):
			t.Fatal("they do not all come in")
		}
	}
}

func (c *crowd) open() {
	close(c.gate)
	c.all.Wait()
}

func (r reply) overloaded(t *testing.T) {
	t.Helper()
	r.problem(t, http.StatusServiceUnavailable, "too many requests at once, try again")
	assert.Equal(t, "overloaded", r.json(t)["code"])
	assert.Equal(t, "1", r.header.Get("Retry-After"))
}

func TestWhoFindsNoSeatIsRefusedAtOnce(t *testing.T) {
	c := startCrowd(t, map[string]any{"fleet_mint_secret": fleetSecret, "auto_create_admin": true, "admin_password": "correct horse"})
	series := c.metrics()
	for _, endpoint := range []string{"/sign-in", "/refresh", "/fleet/sessions"} {
		value, exists := series[`picoauth_overloaded_requests_total{endpoint="`+endpoint+`"}`]
		assert.True(t, exists && value == 0, "%s is there from the start", endpoint)
	}
	c.fill(t)
	late := c.signInBody(c.wallet)
	for range 3 {
		c.post("/sign-in", late).overloaded(t)
	}
	c.refresh("anything").overloaded(t)
	c.fleet(map[string]any{"session_id": "a", "agent_id": "b"}).overloaded(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		response, err := c.client.Get(c.url + path)
		require.NoError(t, err)
		response.Body.Close()
		assert.Equal(t, http.StatusOK, response.StatusCode, path)
	}
	assert.Equal(t, http.StatusOK, c.get("/jwks").status)
	assert.Equal(t, http.StatusOK, c.get("/revoked-jtis", "X-Fleet-Secret", fleetSecret).status, "what needs no core")

	series = c.metrics()
	assert.EqualValues(t, 3, series[`picoauth_overloaded_requests_total{endpoint="/sign-in"}`])
	assert.EqualValues(t, 1, series[`picoauth_overloaded_requests_total{endpoint="/refresh"}`])
	assert.EqualValues(t, 1, series[`picoauth_overloaded_requests_total{endpoint="/fleet/sessions"}`])
	assert.EqualValues(t, c.seats, series["picoauth_costly_requests"])
	c.open()
	c.post("/sign-in", late).tokens(t) // its nonce was not spent
	assert.Zero(t, c.metrics()["picoauth_costly_requests"])
}

func TestTheBodyOfARefusedRequestIsNotRead(t *testing.T) {
	c := startCrowd(t, nil)
	c.fill(t)
	defer c.open()
	late := c.signInBody(c.wallet)
	text, err := json.Marshal(late)
	require.NoError(t, err)
	body := &countedBody{text: strings.NewReader(string(text))}
	request := httptest.NewRequest(http.MethodPost, serverauth.Prefix+"/sign-in", body)
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	c.echo.ServeHTTP(recorder, request)
	reply{recorder.Code, recorder.Header(), recorder.Body.Bytes()}.overloaded(t)
	assert.Zero(t, body.reads, "its body is not read")
}

type countedBody struct {
	text  io.Reader
	reads int
}

func (b *countedBody) Read(p []byte) (int, error) {
	b.reads++
	return b.text.Read(p)
}

// TestASlowClientHoldsNoSeat begins as many requests as there are seats and sends no body.
func TestASlowClientHoldsNoSeat(t *testing.T) {
	c := startCrowd(t, nil)
	close(c.gate)
	ctx, cancel := context.WithCancel(t.Context())
	var bodies []*io.PipeWriter
	for range c.seats {
		body, sender := io.Pipe()
		bodies = append(bodies, sender)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+serverauth.Prefix+"/sign-in", body)
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		c.all.Go(func() {
			if response, err := c.client.Do(request); err == nil {
				response.Body.Close()
			}
		})
	}
	for _, sender := range bodies { // when the first byte is taken, the request is on its way
		_, err := sender.Write([]byte("{"))
		require.NoError(t, err)
	}
	c.signIn(c.wallet)
	cancel()
	for _, sender := range bodies {
		sender.Close()
	}
	c.all.Wait()
}
