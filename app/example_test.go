package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
)

// A main function calls Run; a test, as here, starts and stops.
func ExampleNew() {
	var server *app.Server
	application := app.New(
		app.ConfigFile("application.yaml"), // may be absent
		app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error"}),
		fx.Invoke(func(e *echo.Echo) {
			e.GET("/hello", func(c echo.Context) error { return c.String(http.StatusOK, "hello") })
		}),
		fx.Populate(&server),
	)
	ctx := context.Background()
	if err := application.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = application.Stop(ctx) }()

	reply, err := http.Get("http://" + server.Addr().String() + "/hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = reply.Body.Close() }()
	fmt.Println(reply.Status)
	// Output: 200 OK
}

func ExampleDecodeJSON() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Address string `json:"address"`
		}
		if err := app.DecodeJSON(w, r, &request); err != nil {
			app.WriteProblem(w, r, err)
			return
		}
		_ = app.WriteJSON(w, http.StatusOK, request)
	}
	for _, body := range []string{`{"address":"0x5290"}`, `{"address":5290}`} {
		r := httptest.NewRequest(http.MethodPost, "/challenge", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 {"address":"0x5290"}
	// 400 {"type":"about:blank","title":"Bad Request","status":400,"detail":"field address must be a string","code":"wrong_type"}
}

func ExampleWriteProblem() {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	app.WriteProblem(w, r, errors.New("what only the log should see"))
	fmt.Println(w.Body)
	// Output: {"type":"about:blank","title":"Internal Server Error","status":500,"detail":"internal server error","code":"internal_server_error"}
}
