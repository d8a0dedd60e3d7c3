package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
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
