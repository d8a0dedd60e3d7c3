package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

const (
	authPath      = serverauth.Prefix
	encryptionKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	replicaIssuer = "http://auth.test"
)

func long() bool { return os.Getenv("PICOAUTH_LONG") == "1" }

// replicaSettings are what all instances of one issuer have in common.
func replicaSettings(more ...string) []string {
	return slices.Concat(withAdmin, []string{
		"SERVER_AUTH__ISSUER=" + replicaIssuer, "SERVER_AUTH__ALGORITHM=EdDSA", "SERVER_AUTH__RATE_LIMIT_PER_MINUTE=0",
	}, more)
}

// sharedStorage are the settings of instances that share a PostgreSQL database, and a Redis database for challenges.
func sharedStorage(t *testing.T, postgres, redis *services.Server, more ...string) []string {
	t.Helper()
	return replicaSettings(slices.Concat([]string{
		"SERVER_AUTH__STORAGE_URL=" + postgres.NewDatabase(t),
		"SERVER_AUTH__CHALLENGE_STORAGE_URL=" + redis.NewDatabase(t),
		"SERVER_AUTH__KEY_ENCRYPTION_KEY=" + encryptionKey,
	}, more)...)
}

// replica is one instance of an issuer: a process that can be stopped, killed and started again at its port.
type replica struct {
	t       *testing.T
	port    int
	environ []string
	url     string

	process   *process
	listening chan struct{} // closed when it listens
	logEnded  chan struct{} // closed when it logs nothing more

	mu     sync.Mutex
	events []map[string]any // of its log, in all its lives: warnings, errors and the mint audit's
}

// newReplica returns an instance that does not run yet.
func newReplica(t *testing.T, environ []string) *replica {
	t.Helper()
	require.NoError(t, build()) // no part of the first start
	port := services.FreePort(t)
	return &replica{t: t, port: port, environ: environ, url: "http://127.0.0.1:" + strconv.Itoa(port)}
}

// begin launches the process without waiting for it.
func (r *replica) begin() {
	r.t.Helper()
	r.process = launch(r.t, "standalone", nil, append(slices.Clone(r.environ), "APP__PORT="+strconv.Itoa(r.port))...)
	r.listening, r.logEnded = make(chan struct{}), make(chan struct{})
	go r.readLog(r.process.lines, r.listening, r.logEnded)
}

func (r *replica) readLog(lines <-chan map[string]any, listening, ended chan<- struct{}) {
	defer close(ended)
	for line := range lines {
		message, _ := line["msg"].(string)
		if message == "listening" {
			close(listening)
		}
		if line["level"] != "INFO" || strings.HasPrefix(message, "audit_") {
			r.mu.Lock()
			r.events = append(r.events, line)
			r.mu.Unlock()
		}
	}
}

// started waits until the process listens.
func (r *replica) started() {
	r.t.Helper()
	select {
	case <-r.listening:
	case <-r.logEnded:
		_, stderr := r.process.exit()
		r.t.Fatalf("the instance does not start: %s", stderr)
	case <-time.After(patience):
		r.t.Fatal("the instance does not listen")
	}
}

func (r *replica) start() {
	r.t.Helper()
	r.begin()
	r.started()
}

// stop asks the process to end and waits until it has, in good order.
func (r *replica) stop() {
	r.t.Helper()
	require.NoError(r.t, r.process.command.Process.Signal(syscall.SIGTERM))
	select {
	case <-r.logEnded:
	case <-time.After(patience):
		r.t.Fatal("the instance does not end")
	}
	code, stderr := r.process.exit()
	require.Zero(r.t, code, stderr)
}

// kill is kill -9.
func (r *replica) kill() { r.process.kill() }

// count returns how many events of a name were logged in all lives.
func (r *replica) count(event string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.events {
		if line["msg"] == event {
			n++
		}
	}
	return n
}

// sane holds that no life had a panic, a 500 or a broken audit.
func (r *replica) sane(t *testing.T) {
	t.Helper()
	assert.NotContains(t, r.process.stderr.String(), "panic")
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.events {
		text, err := json.Marshal(line)
		assert.NoError(t, err)
		assert.NotContains(t, string(text), "panic")
		assert.NotContains(t, string(text), "audit_broken")
		assert.NotEqual(t, 500.0, line["status"], string(text))
	}
}

// oneShot makes a connection for each request: what is refused or cut off is the server's doing and never that of an
// idle connection.
var oneShot = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// send makes a request from any goroutine. An error is one of the connection.
func send(ctx context.Context, client *http.Client, method, url, token string, in any) (reply, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return reply{}, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return reply{}, err
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(text)}, err
}

// ask is a request to the auth API that must be answered.
func (r *replica) ask(t *testing.T, method, path, token string, in any) reply {
	t.Helper()
	answer, err := send(t.Context(), http.DefaultClient, method, r.url+authPath+path, token, in)
	require.NoError(t, err)
	return answer
}

// decode reads a reply of status 200.
func decode[T any](t *testing.T, r reply) (v T) {
	t.Helper()
	require.Equal(t, 200, r.status, r.body)
	require.NoError(t, json.Unmarshal([]byte(r.body), &v))
	return v
}

func newWallet(t *testing.T) *testutil.Wallet {
	t.Helper()
	w, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	return w
}

// signIn signs a new wallet in.
func (r *replica) signIn(t *testing.T) testutil.SignedIn {
	t.Helper()
	in, err := testutil.SignIn(t.Context(), r.url, newWallet(t))
	require.NoError(t, err)
	return in
}

// signInRequest is a sign-in that only has to be sent.
func (r *replica) signInRequest(t *testing.T, w *testutil.Wallet) map[string]any {
	t.Helper()
	challenge := decode[testutil.Challenge](t, r.ask(t, "POST", "/challenge", "", map[string]string{"address": w.Address, "algorithm": w.Algorithm}))
	request, err := testutil.SignInRequest(w, challenge)
	require.NoError(t, err)
	return request
}

func (r *replica) refresh(t *testing.T, token string) reply {
	t.Helper()
	return r.ask(t, "POST", "/refresh", "", refreshBody(token))
}

func refreshBody(token string) map[string]string { return map[string]string{"refresh_token": token} }

// active introspects a token.
func (r *replica) active(t *testing.T, operator, token string) bool {
	t.Helper()
	return decode[struct{ Active bool }](t, r.ask(t, "POST", "/introspect", operator, map[string]string{"token": token})).Active
}

// refusedWithin waits until a token is refused and returns how long that took.
func (r *replica) refusedWithin(t *testing.T, limit time.Duration, operator, token string) time.Duration {
	t.Helper()
	began := time.Now()
	for r.active(t, operator, token) {
		if time.Since(began) > limit {
			t.Errorf("the token is still accepted after %s", limit)
			break
		}
	}
	return time.Since(began)
}

// since asks for the denylist as a poller does.
func (r *replica) since(t *testing.T, operator string, seq int64) revokedPage {
	t.Helper()
	return decode[revokedPage](t, r.ask(t, "GET", fmt.Sprintf("/revoked-jtis?since=%d", seq), operator, nil))
}

// claim reads a claim of a token without verifying it.
func claim[T any](t *testing.T, token, name string) (value T) {
	t.Helper()
	return tokenPart[T](t, token, 1, name)
}

func tokenPart[T any](t *testing.T, token string, part int, name string) (value T) {
	t.Helper()
	text, err := rawURL.DecodeString(strings.Split(token, ".")[part])
	require.NoError(t, err)
	members := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(text, &members))
	require.NoError(t, json.Unmarshal(members[name], &value))
	return value
}

// startPair starts two instances at the same time.
func startPair(t *testing.T, environ []string) (a, b *replica) {
	t.Helper()
	a, b = newReplica(t, environ), newReplica(t, environ)
	a.begin()
	b.begin()
	a.started()
	b.started()
	t.Cleanup(func() { a.sane(t); b.sane(t) })
	return a, b
}
