package serverauth_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

const (
	inMemoryRecord = "state is kept in memory: a restart ends all sessions and forgets revocations; set data_dir or storage_url"
	changedRecord  = "the signing algorithm was changed: the old one signs until all clients know the new key; clients must accept both until the last token of the old one expires"
)

func TestTheStartSaysWhatSignsAndFromWhen(t *testing.T) {
	_, log := watched(t, map[string]any{"algorithm": "EdDSA"})
	record := log.events(t, "listening")[0]
	assert.Equal(t, "EdDSA", record["signs"])
	assert.NotContains(t, record, "signs_next")
	assert.Empty(t, log.events(t, changedRecord))
	assert.Len(t, log.events(t, inMemoryRecord), 1)

	backend := newSharedBackend(t)
	startServer(t, map[string]any{"algorithm": "EdDSA", "storage_url": "shared:"}, backend)
	_, log = watched(t, map[string]any{"algorithm": "ES256", "storage_url": "shared:"}, backend)
	record = log.events(t, "listening")[0]
	assert.Equal(t, []any{"EdDSA", "ES256"}, []any{record["signs"], record["signs_next"]})
	changed := log.events(t, changedRecord)
	require.Len(t, changed, 1)
	assert.Equal(t, "WARN", changed[0]["level"])
	assert.Equal(t, record["signs_next_from"], changed[0]["until"])
	assert.Equal(t, "EdDSA, ES256", changed[0]["accept"])
	from, err := time.Parse(time.RFC3339Nano, changed[0]["until"].(string))
	require.NoError(t, err)
	assert.True(t, from.After(time.Now()))
	assert.Empty(t, log.events(t, inMemoryRecord))
}

func TestRoutesWithoutClientauthAreWarnedOf(t *testing.T) {
	log := &eventLog{}
	testutil.NewApp(t, serverauth.Module, fx.Decorate(func() *slog.Logger { return slog.New(slog.NewJSONHandler(log, nil)) }),
		fx.Invoke(func(e *echo.Echo) {
			e.GET("/mine", func(c echo.Context) error { return c.NoContent(http.StatusOK) }).Name = "main.mine"
		}))
	warned := log.events(t, "routes of this application are open to everybody: the clientauth module is missing")
	require.Len(t, warned, 1)
	assert.Equal(t, "GET /mine", warned[0]["route"])
}
