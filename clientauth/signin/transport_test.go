package signin_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/signin"
)

func TestNoTokenFollowsARedirectToAnotherHost(t *testing.T) {
	bothKinds(t, func(t *testing.T, dpop bool) {
		running := newServer(t, nil)
		seen := make(chan http.Header, 2)
		elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
		defer elsewhere.Close()
		redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen <- r.Header
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}))
		defer redirecting.Close()
		profileOf(t, newSource(t, signin.Config{Issuer: running.URL, DPoP: dpop}), redirecting.URL)
		first, second := <-seen, <-seen
		assert.NotEmpty(t, first.Get("Authorization"))
		assert.Equal(t, dpop, first.Get("DPoP") != "")
		assert.Empty(t, second.Get("Authorization"))
		assert.Empty(t, second.Get("DPoP"))
	})
}

func TestARefusalIsRepeatedOnce(t *testing.T) {
	running := newServer(t, nil)
	asked := 0
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer refusing.Close()
	client := &http.Client{Transport: signin.NewTransport(newSource(t, signin.Config{Issuer: running.URL}), nil)}
	reply, err := client.Get(refusing.URL)
	require.NoError(t, err)
	require.NoError(t, reply.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, reply.StatusCode)
	assert.Equal(t, 2, asked)

	asked = 0
	body := io.MultiReader(http.NoBody) // which cannot be had again
	reply, err = client.Post(refusing.URL, "text/plain", body)
	require.NoError(t, err)
	require.NoError(t, reply.Body.Close())
	assert.Equal(t, 1, asked)
}

// TestKilledProcesses kills processes that share a state file at random moments, and then expects the state to be whole and
// the session to go on or to be begun anew.
func TestKilledProcesses(t *testing.T) {
	if os.Getenv("SIGNIN_LOOP") != "" {
		signInLoop(t)
		return
	}
	running := newServer(t, map[string]any{"server_auth.access_token_expire_minutes": 1})
	for _, dpop := range []bool{false, true} {
		killProcesses(t, running.URL, dpop)
	}
}

func killProcesses(t *testing.T, url string, dpop bool) {
	t.Helper()
	dir := t.TempDir()
	seed := newSigner(t, signin.Ed25519)
	state := filepath.Join(dir, "state.json")
	c := signin.Config{Issuer: url, Signer: seed, StateFile: state, DPoP: dpop}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "seed"), seedOf(seed), 0o600))
	environment := append(os.Environ(), "SIGNIN_LOOP="+url, "SIGNIN_DIR="+dir)
	if dpop {
		environment = append(environment, "SIGNIN_DPOP=1")
	}
	for round := range 6 {
		var killed []*exec.Cmd
		for range 2 {
			one := exec.Command(os.Args[0], "-test.run=^TestKilledProcesses$")
			one.Env = environment
			require.NoError(t, one.Start())
			killed = append(killed, one)
		}
		time.Sleep(time.Duration(150+29*round) * time.Millisecond) // any moment will do
		for _, one := range killed {
			require.NoError(t, one.Process.Kill())
			_ = one.Wait() // it was killed
		}
		status, body := profileOf(t, newSource(t, c), url)
		require.Equal(t, 200, status, body)
	}
	left, err := filepath.Glob(state + ".*")
	require.NoError(t, err)
	assert.LessOrEqual(t, len(left), 1+12, "the lock, and at most a file for each process that was killed while it wrote")
}

// signInLoop renews without end: each token looks expired to the next turn.
func signInLoop(t *testing.T) {
	dir := os.Getenv("SIGNIN_DIR")
	seed, err := os.ReadFile(filepath.Join(dir, "seed"))
	require.NoError(t, err)
	c := signin.Config{Issuer: os.Getenv("SIGNIN_LOOP"), Signer: signerOf(seed), StateFile: filepath.Join(dir, "state.json"), DPoP: os.Getenv("SIGNIN_DPOP") != ""}
	for {
		if _, err := newSource(t, c).Token(); err != nil {
			t.Fatal(err)
		}
		expire(t, c.StateFile)
	}
}
