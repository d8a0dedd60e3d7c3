package signin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/signin"
	"github.com/picoauth/picoauth/testutil"
)

func TestEveryAlgorithmSignsIn(t *testing.T) {
	running := newServer(t, map[string]any{"server_auth.supported_wallet_algorithms": strings.Join(algorithms, ",")})
	for _, algorithm := range algorithms {
		for range 4 { // both parities of an Ethereum signature
			source := newSource(t, signin.Config{Issuer: running.URL, Algorithm: algorithm})
			token, err := source.Token()
			require.NoError(t, err, algorithm)
			assert.NotEmpty(t, subject(t, running.URL, token.AccessToken), algorithm)
			assert.WithinDuration(t, time.Now().Add(15*time.Minute), token.Expiry, time.Minute)
		}
	}
}

func TestGoroutinesShareOneExchange(t *testing.T) {
	running := newServer(t, nil)
	p := newProxy(t, running.URL)
	source := newSource(t, signin.Config{Issuer: p.URL})
	var all sync.WaitGroup
	seen := make([]string, 50)
	for i := range seen {
		all.Go(func() {
			if token, err := source.Token(); assert.NoError(t, err) {
				seen[i] = token.AccessToken
			}
		})
	}
	all.Wait()
	for _, token := range seen {
		assert.Equal(t, seen[0], token)
	}
	assert.Equal(t, 1, p.requests("/sign-in"))
}

func TestProcessesShareASession(t *testing.T) {
	bothKinds(t, func(t *testing.T, dpop bool) {
		running := newServer(t, nil)
		p := newProxy(t, running.URL)
		c := signin.Config{Issuer: p.URL, Signer: newSigner(t, signin.Ed25519), DPoP: dpop, StateFile: filepath.Join(t.TempDir(), "state.json")}
		first, err := newSource(t, c).Token()
		require.NoError(t, err)
		second, err := newSource(t, c).Token()
		require.NoError(t, err)
		assert.Equal(t, first.AccessToken, second.AccessToken)
		assert.Equal(t, dpop, bound(t, first.AccessToken) != "")

		expire(t, c.StateFile)
		var all sync.WaitGroup
		for range 8 {
			source := newSource(t, c)
			all.Go(func() {
				token, err := source.Token()
				if assert.NoError(t, err) {
					assert.NotEqual(t, first.AccessToken, token.AccessToken)
					assert.Equal(t, bound(t, first.AccessToken), bound(t, token.AccessToken))
				}
				status, _ := profileOf(t, source, running.URL)
				assert.Equal(t, 200, status)
			})
		}
		all.Wait()
		assert.Equal(t, 1, p.requests("/sign-in"))
		assert.Equal(t, 1, p.requests("/refresh"))
		info, err := os.Stat(c.StateFile)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	})
}

func TestAStateOfAnotherKeyOrIssuerIsNotUsed(t *testing.T) {
	running := newServer(t, nil)
	state := filepath.Join(t.TempDir(), "state.json")
	one := newSource(t, signin.Config{Issuer: running.URL, StateFile: state})
	first, err := one.Token()
	require.NoError(t, err)
	other := newSource(t, signin.Config{Issuer: running.URL, StateFile: state})
	second, err := other.Token()
	require.NoError(t, err)
	assert.Equal(t, one.Address(), subject(t, running.URL, first.AccessToken))
	assert.Equal(t, other.Address(), subject(t, running.URL, second.AccessToken))

	require.NoError(t, os.WriteFile(state, []byte(`{"refresh_`), 0o600)) // as no process leaves it
	_, err = newSource(t, signin.Config{Issuer: running.URL, StateFile: state}).Token()
	require.NoError(t, err)
}

func TestALostReplyCostsNoSession(t *testing.T) {
	bothKinds(t, func(t *testing.T, dpop bool) {
		running := newServer(t, nil)
		p := newProxy(t, running.URL)
		c := signin.Config{Issuer: p.URL, Signer: newSigner(t, signin.Ed25519), DPoP: dpop, StateFile: filepath.Join(t.TempDir(), "state.json")}
		_, err := newSource(t, c).Token()
		require.NoError(t, err)
		for lost := range int64(3) {
			expire(t, c.StateFile)
			p.lose.Store(lost)
			source := newSource(t, c)
			_, err := source.Token()
			require.NoError(t, err)
			status, _ := profileOf(t, source, running.URL)
			assert.Equal(t, 200, status)
		}
		assert.Equal(t, 1, p.requests("/sign-in"), "the first session continues")
	})
}

func TestAnEndedSessionIsBegunAnew(t *testing.T) {
	running := newServer(t, nil)
	source := newSource(t, signin.Config{Issuer: running.URL, StateFile: filepath.Join(t.TempDir(), "state.json")})
	client := &http.Client{Transport: signin.NewTransport(source, nil)}
	first, err := source.Token()
	require.NoError(t, err)
	require.NoError(t, testutil.Post(t.Context(), running.URL+"/api/v1/auth/logout", map[string]string{"refresh_token": refreshToken(t, source)}, nil))
	reply, err := client.Post(running.URL+"/api/profile", "text/plain", strings.NewReader("twice"))
	require.NoError(t, err)
	defer reply.Body.Close()
	assert.Equal(t, http.StatusOK, reply.StatusCode)
	assert.Contains(t, read(t, reply), "twice")
	second, err := source.Token()
	require.NoError(t, err)
	assert.NotEqual(t, first.AccessToken, second.AccessToken)
}

func TestAServerThatIsAway(t *testing.T) {
	running := newServer(t, nil)
	p := newProxy(t, running.URL)
	state := filepath.Join(t.TempDir(), "state.json")
	c := signin.Config{Issuer: p.URL, Signer: newSigner(t, signin.Ed25519), StateFile: state, Patience: 10 * time.Second}
	_, err := newSource(t, c).Token()
	require.NoError(t, err)

	expire(t, state)
	p.down.Store(true)
	time.AfterFunc(500*time.Millisecond, func() { p.down.Store(false) })
	token, err := newSource(t, c).Token()
	require.NoError(t, err, "it comes back within the patience")
	subject(t, running.URL, token.AccessToken)

	expire(t, state)
	p.down.Store(true)
	c.Patience = 300 * time.Millisecond
	_, err = newSource(t, c).Token()
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = newSource(t, c).TokenContext(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestARefusalIsSaid(t *testing.T) {
	running := newServer(t, map[string]any{"server_auth.supported_wallet_algorithms": "Ed25519"})
	_, err := newSource(t, signin.Config{Issuer: running.URL, Algorithm: signin.Secp256k1}).Token()
	var refused *signin.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, http.StatusBadRequest, refused.Status)
	assert.Equal(t, "unsupported_algorithm", refused.Code)
}

func TestConfigThatCannotWork(t *testing.T) {
	ed := newSigner(t, signin.Ed25519)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	const issuer = "https://auth.example.com"
	for name, c := range map[string]signin.Config{
		"no issuer":         {Signer: ed, Algorithm: signin.Ed25519},
		"no URL":            {Issuer: "auth.example.com", Signer: ed, Algorithm: signin.Ed25519},
		"no signer":         {Issuer: issuer, Algorithm: signin.Ed25519},
		"no algorithm":      {Issuer: issuer, Signer: ed},
		"another algorithm": {Issuer: issuer, Signer: ed, Algorithm: signin.EIP191},
		"ML-DSA of Ed25519": {Issuer: issuer, Signer: ed, Algorithm: signin.MLDSA44},
		"another size":      {Issuer: issuer, Signer: newSigner(t, signin.MLDSA44), Algorithm: signin.MLDSA65},
		"another curve":     {Issuer: issuer, Signer: p256, Algorithm: signin.Secp256k1},
	} {
		_, err := signin.NewSource(c)
		assert.Error(t, err, name)
	}
}
