package serverauth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	authstore "github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func TestReadinessAsksForTheDenylist(t *testing.T) {
	store := storetest.NewFaultyRevocations()
	s := startServer(t, nil, fx.Decorate(func() authstore.RevocationStore { return store }))
	ready := func() int {
		response, err := http.Get(s.url + "/readyz")
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	require.Equal(t, 200, ready())
	store.FailNextPage.Store(true)
	store.Become(storetest.NewRevocations("new", 2500)...)
	require.Eventually(t, func() bool { return ready() == 503 }, 10*time.Second, 50*time.Millisecond)
	store.FailNextPage.Store(false)
	require.Eventually(t, func() bool { return ready() == 200 }, 10*time.Second, 50*time.Millisecond)
}
