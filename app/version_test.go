package app_test

import (
	"encoding/json"
	"net/http"
	"runtime"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
)

func TestTheVersionIsServedAndMeasured(t *testing.T) {
	var server *app.Server
	application := app.New(quiet(fx.Populate(&server)))
	require.NoError(t, application.Start(t.Context()))
	defer func() { require.NoError(t, application.Stop(t.Context())) }()
	url := "http://" + server.Addr().String()

	reply, body := fetch(t, "GET", url+"/version")
	assert.Equal(t, 200, reply.StatusCode)
	var got app.BuildInfo
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	assert.Equal(t, app.ReadBuildInfo(), got)
	assert.Equal(t, app.Version, got.Version)
	assert.Equal(t, runtime.Version(), got.Go)

	_, body = fetch(t, "GET", url+"/metrics")
	assert.Contains(t, body, `picoauth_build_info{go="`+got.Go+`",revision="`+got.Revision+`",version="`+app.Version+`"} 1`)
}

func TestTheApplicationsOwnVersionWins(t *testing.T) {
	own := func(e *echo.Echo) {
		e.GET("/version", func(c echo.Context) error { return c.String(http.StatusOK, "own") })
	}
	for name, options := range map[string]fx.Option{
		"of a module, before": fx.Module("early", fx.Invoke(own)),
		"at the root, after":  fx.Options(fx.Invoke(func(app.PublicRoutes) {}), fx.Invoke(own)),
		"beside a second watch": fx.Invoke(func(e *echo.Echo, _ app.PublicRoutes, lifecycle fx.Lifecycle) {
			watch := app.WatchRoutes(e)
			own(e)
			lifecycle.Append(fx.StartHook(watch.Err))
		}),
	} {
		t.Run(name, func(t *testing.T) {
			reply, body := fetch(t, "GET", start(t, options)+"/version")
			assert.Equal(t, http.StatusOK, reply.StatusCode)
			assert.Equal(t, "own", body)
		})
	}
	err := app.New(quiet(fx.Invoke(own, own))).Start(t.Context())
	assert.ErrorContains(t, err, "registered twice")
}
