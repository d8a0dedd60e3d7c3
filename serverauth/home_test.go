package serverauth_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

func TestHomeLinksTheDocumentation(t *testing.T) {
	running := testutil.NewApp(t, serverauth.Module, serverauth.Home)
	for path, status := range map[string]int{"/": 200, "/api/v1/auth/docs": 200} {
		reply, err := http.Get(running.URL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(reply.Body)
		require.NoError(t, err)
		require.NoError(t, reply.Body.Close())
		assert.Equal(t, status, reply.StatusCode, path)
		if path == "/" {
			assert.Contains(t, string(body), `"documentation":"/api/v1/auth/docs"`)
		}
	}
}
