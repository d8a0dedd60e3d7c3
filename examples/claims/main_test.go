package main

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

func status(err error) int {
	var refused *testutil.StatusError
	switch {
	case err == nil:
		return 200
	case errors.As(err, &refused):
		return refused.Status
	default:
		return 0
	}
}

// Whoever joins a second wallet is the same person with it, and is nobody any more with one that was taken away.
func TestASecondWalletIsTheSamePerson(t *testing.T) {
	first, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	second, err := testutil.NewWallet("eip191")
	require.NoError(t, err)
	running := testutil.NewApp(t, options(), app.ConfigMap(map[string]any{
		"directory": map[string]any{"editors": first.Address}, "server_auth": map[string]any{"algorithm": "EdDSA"},
	}))
	ctx := context.Background()
	in, err := testutil.SignIn(ctx, running.URL, first)
	require.NoError(t, err)
	require.NoError(t, testutil.JoinWallet(ctx, running.URL, in.AccessToken, second, false))
	again, err := testutil.SignIn(ctx, running.URL, second)
	require.NoError(t, err)
	assert.Equal(t, second.Address, again.Address)
	assert.Equal(t, 200, status(testutil.PostAs(ctx, running.URL+"/api/articles", again.AccessToken, nil, nil)))

	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, running.URL+serverauth.Prefix+"/wallets/"+first.Address, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+again.AccessToken)
	reply, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, reply.Body.Close())
	assert.Equal(t, http.StatusNoContent, reply.StatusCode)
	_, err = testutil.SignIn(ctx, running.URL, first)
	assert.Equal(t, 403, status(err))
	assert.Equal(t, 401, status(testutil.PostAs(ctx, running.URL+"/api/articles", in.AccessToken, nil, nil)))
	recovered, err := testutil.SignIn(ctx, running.URL, second)
	require.NoError(t, err)
	assert.Equal(t, 200, status(testutil.PostAs(ctx, running.URL+"/api/articles", recovered.AccessToken, nil, nil)), "the subject stays")
}

func TestTheUserTableDecides(t *testing.T) {
	wallets := map[string]*testutil.Wallet{}
	for _, name := range []string{"editor", "reader", "blocked"} {
		wallet, err := testutil.NewWallet("Ed25519")
		require.NoError(t, err)
		wallets[name] = wallet
	}
	running := testutil.NewApp(t, options(), app.ConfigMap(map[string]any{
		"directory":   map[string]any{"editors": wallets["editor"].Address, "blocked": wallets["blocked"].Address},
		"server_auth": map[string]any{"algorithm": "EdDSA"},
	}))
	ctx := context.Background()
	_, err := testutil.SignIn(ctx, running.URL, wallets["blocked"])
	assert.Equal(t, 403, status(err))
	for name, mayWrite := range map[string]int{"editor": 200, "reader": 403} {
		in, err := testutil.SignIn(ctx, running.URL, wallets[name])
		require.NoError(t, err)
		assert.Equal(t, 200, status(testutil.Get(ctx, running.URL+"/api/articles", in.AccessToken, nil)), name)
		assert.Equal(t, mayWrite, status(testutil.PostAs(ctx, running.URL+"/api/articles", in.AccessToken, nil, nil)), name)
	}
}
