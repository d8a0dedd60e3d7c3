package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
)

// openStores opens SQLite in a new folder.
func openStores(t *testing.T, clock app.Clock) *store.Stores {
	t.Helper()
	stores, err := sqlite.New().Open(t.Context(), store.BackendConfig{
		URL: "sqlite:" + filepath.Join(t.TempDir(), "picoauth.db"), Clock: clock, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = stores.Close() })
	return stores
}

// storedRegistry knows one client by configuration, and those of a store.
func storedRegistry(t *testing.T, in store.ClientStore, clock app.Clock, log io.Writer) *client.Registry {
	t.Helper()
	settings := client.Settings{Clients: []client.Config{{ID: "configured", RedirectURIs: []string{redirect}}}}
	registry, err := client.NewRegistry(client.RegistryConfig{
		Settings: settings, Known: known, Store: in, Secret: func() []byte { return []byte("the secret of the rows") }, Clock: clock,
		Log: slog.New(slog.NewJSONHandler(log, nil)),
	})
	require.NoError(t, err)
	return registry
}

// adminServer is a real server with the endpoints for operators, of whom one is known by the header X-Operator.
func adminServer(t *testing.T, registry *client.Registry, log io.Writer) (call func(method, path, body string) (int, map[string]any)) {
	t.Helper()
	admin := &client.Admin{Registry: registry, Log: slog.New(slog.NewJSONHandler(log, nil)), Operator: func(c echo.Context) (*verify.SecurityContext, error) {
		if c.Request().Header.Get("X-Operator") == "" {
			return nil, app.NewProblem(http.StatusUnauthorized, "unauthorized", "no operator")
		}
		return &verify.SecurityContext{Subject: "operator"}, nil
	}}
	e := echo.New()
	for _, route := range []struct {
		method, path string
		flow         echo.HandlerFunc
	}{{"GET", "/clients", admin.List}, {"POST", "/clients", admin.Create}, {"DELETE", "/clients/:id", admin.Delete}} {
		e.Add(route.method, route.path, func(c echo.Context) error {
			if err := route.flow(c); err != nil {
				app.WriteProblem(c.Response(), c.Request(), err)
			}
			return nil
		})
	}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return func(method, path, body string) (int, map[string]any) {
		t.Helper()
		request, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		if !strings.Contains(path, "stranger") {
			request.Header.Set("X-Operator", "yes")
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		var reply map[string]any
		_ = json.NewDecoder(response.Body).Decode(&reply)
		return response.StatusCode, reply
	}
}

func TestClientsOfTheStore(t *testing.T) {
	var log bytes.Buffer
	stores := openStores(t, time.Now)
	registry := storedRegistry(t, stores.Clients, time.Now, io.Discard)
	call := adminServer(t, registry, &log)

	status, made := call("POST", "/clients", `{"id": "grafana", "name": "Grafana", "redirect_uris": ["https://grafana.example.com/cb"],
		"dpop_bound_access_tokens": true}`)
	require.Equal(t, http.StatusCreated, status, made)
	given := made["secret"].(string)
	assert.GreaterOrEqual(t, len(given), 43, "256 bits")
	assert.Equal(t, "client_secret_basic", made["auth_method"])
	assert.Equal(t, []any{"authorization_code", "refresh_token"}, made["grants"])
	assert.Equal(t, "ask", made["consent"])

	found, err := registry.Find(context.Background(), "grafana")
	require.NoError(t, err)
	assert.Equal(t, client.Stored, found.Source)
	assert.True(t, found.AllowsRedirect("https://grafana.example.com/cb"))
	assert.True(t, found.DPoPBound)
	s := newAuthServer(t, 0, registry)
	assert.Equal(t, "grafana", s.post(t, nil, "Authorization", basic("grafana", given)).Client)
	assert.Equal(t, "invalid_client", s.post(t, nil, "Authorization", basic("grafana", given[1:])).Error)

	row, _, err := stores.Clients.Find(context.Background(), "grafana")
	require.NoError(t, err)
	assert.NotContains(t, string(row.Data), given, "only its SHA-256 is kept")
	assert.NotContains(t, log.String(), given)

	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"taken":               {`{"id": "grafana", "redirect_uris": ["https://a.example.com/"]}`, 409, "client_exists"},
		"configured":          {`{"id": "configured", "redirect_uris": ["https://a.example.com/"]}`, 409, "client_exists"},
		"a secret of its own": {`{"id": "x", "secret": "` + secret + `", "redirect_uris": ["https://a.example.com/"]}`, 400, "invalid_value"},
		"a fragment":          {`{"id": "x", "redirect_uris": ["https://a.example.com/#"]}`, 400, "invalid_value"},
		"no id":               {`{"redirect_uris": ["https://a.example.com/"]}`, 400, "invalid_value"},
		"unknown scope":       {`{"id": "x", "scopes": ["all"], "redirect_uris": ["https://a.example.com/"]}`, 400, "invalid_value"},
		"no JSON":             {`id=x`, 400, "invalid_json"},
	} {
		status, reply := call("POST", "/clients", c.body)
		assert.Equal(t, c.status, status, name)
		assert.Equal(t, c.code, reply["code"], name)
	}

	status, public := call("POST", "/clients", `{"id": "https://app.example.com/ä?b c%2F", "redirect_uris": ["https://a.example.com/"]}`)
	assert.Equal(t, http.StatusBadRequest, status, public)
	status, public = call("POST", "/clients", `{"id": "https://app.example.com/a?b c%2F", "auth_method": "none", "redirect_uris": ["https://a.example.com/"]}`)
	require.Equal(t, http.StatusCreated, status, public)
	assert.NotContains(t, public, "secret")

	status, list := call("GET", "/clients?limit=1", "")
	require.Equal(t, http.StatusOK, status)
	assert.Len(t, list["items"], 1)
	assert.Equal(t, "grafana", list["next"])
	item := list["items"].([]any)[0].(map[string]any)
	assert.Equal(t, "Grafana", item["name"])
	assert.Equal(t, true, item["dpop_bound_access_tokens"])
	assert.NotContains(t, item, "secret")
	status, list = call("GET", "/clients?after=grafana", "")
	require.Equal(t, http.StatusOK, status)
	assert.Len(t, list["items"], 1)
	assert.NotContains(t, list, "next")
	for _, query := range []string{"?limit=0", "?limit=x", "?limit=1&limit=2", "?other=1"} {
		status, reply := call("GET", "/clients"+query, "")
		assert.Equal(t, 400, status, query)
		assert.Equal(t, "invalid_parameter", reply["code"])
	}

	for _, id := range []string{"https://app.example.com/a?b c%2F", "grafana"} {
		status, _ = call("DELETE", "/clients/"+url.PathEscape(id), "")
		assert.Equal(t, http.StatusNoContent, status, id)
		status, reply := call("DELETE", "/clients/"+url.PathEscape(id), "")
		assert.Equal(t, http.StatusNotFound, status)
		assert.Equal(t, "client_not_found", reply["code"])
	}
	_, err = registry.Find(context.Background(), "grafana")
	require.ErrorIs(t, err, client.ErrUnknown)
	assert.Equal(t, "invalid_client", s.post(t, nil, "Authorization", basic("grafana", given)).Error)
	status, _ = call("DELETE", "/clients/configured", "")
	assert.Equal(t, http.StatusNotFound, status, "one of the configuration is not the store's to remove")

	for _, method := range []string{"GET", "POST"} {
		status, _ = call(method, "/clients?stranger", `{}`)
		assert.Equal(t, http.StatusUnauthorized, status)
	}
	assert.Contains(t, log.String(), `"msg":"client_created"`)
	assert.Contains(t, log.String(), `"msg":"client_deleted"`)
}

// TestForgedClients is an attacker who can write to the database and has no key.
func TestForgedClients(t *testing.T) {
	for name, forge := range map[string]func(row *store.Client){
		"a new redirect": func(row *store.Client) {
			row.Data = bytes.ReplaceAll(row.Data, []byte("app.example.com"), []byte("evil.example.com"))
		},
		"another id":    func(row *store.Client) { row.ID = "other" },
		"another time":  func(row *store.Client) { row.CreatedAt++ },
		"no MAC":        func(row *store.Client) { row.MAC = [32]byte{} },
		"no data":       func(row *store.Client) { row.Data = nil },
		"data that are": func(row *store.Client) { row.Data = []byte("x") },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stores := context.Background(), openStores(t, time.Now)
			var log bytes.Buffer
			registry := storedRegistry(t, stores.Clients, time.Now, &log)
			_, err := registry.Add(ctx, client.Config{ID: "a", AuthMethod: client.AuthNone, RedirectURIs: []string{redirect}})
			require.NoError(t, err)
			row, _, err := stores.Clients.Find(ctx, "a")
			require.NoError(t, err)
			_, err = stores.Clients.Delete(ctx, "a")
			require.NoError(t, err)
			forge(&row)
			created, err := stores.Clients.Create(ctx, row)
			require.NoError(t, err)
			require.True(t, created)

			items, _, err := registry.List(ctx, "", 10)
			require.NoError(t, err)
			assert.Empty(t, items)
			assert.Contains(t, log.String(), `"msg":"client_forged"`)
			_, err = registry.Find(ctx, row.ID)
			assert.ErrorIs(t, err, client.ErrUnknown)

			_, err = stores.Clients.Create(ctx, row)
			require.NoError(t, err)
			_, err = registry.Find(ctx, row.ID)
			require.ErrorIs(t, err, client.ErrUnknown)
			_, found, err := stores.Clients.Find(ctx, row.ID)
			require.NoError(t, err)
			assert.False(t, found, "what is forged is removed")
		})
	}
}

// awayStore is a store that nothing answers from.
type awayStore struct{ store.ClientStore }

var errAway = errors.New("away")

func (awayStore) Find(context.Context, string) (store.Client, bool, error) {
	return store.Client{}, false, errAway
}

func TestAStoreThatIsAwayMakesNobodyUnknown(t *testing.T) {
	registry := storedRegistry(t, awayStore{}, time.Now, io.Discard)
	_, err := registry.Find(context.Background(), "a")
	require.ErrorIs(t, err, errAway)
	_, err = registry.Find(context.Background(), "configured")
	require.NoError(t, err)
	a := newAuthServer(t, 1, registry).post(t, url.Values{"client_id": {"a"}})
	assert.Equal(t, http.StatusServiceUnavailable, a.Status)
}
