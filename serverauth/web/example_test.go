package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing/fstest"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/web"
)

// A page that shows an OpenAPI document, on any echo.
func ExampleNewDocs() {
	docs, err := web.NewDocs([]byte(`{
		"openapi": "3.1.0",
		"info": {"title": "Orders", "version": "1"},
		"paths": {"/orders": {"get": {"summary": "All orders", "responses": {"200": {"description": "the orders"}}}}}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	e := echo.New()
	docs.Register(e, "/docs")

	reply := httptest.NewRecorder()
	e.ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/docs", nil))
	fmt.Println(reply.Code, reply.Header().Get("Content-Type"))
	// Output: 200 text/html; charset=utf-8
}

// The browser's module, for pages of any origin.
func ExampleRegisterClient() {
	e := echo.New()
	web.RegisterClient(e, "/assets")

	reply := httptest.NewRecorder()
	e.ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/assets/client.js", nil))
	fmt.Println(reply.Code, reply.Header().Get("Content-Type"))
	// Output: 200 text/javascript; charset=utf-8
}

// A page of an app's own in the same layout, with a form that no other site can send.
func ExampleKit() {
	kit, err := web.NewKit("/api/v1/auth")
	if err != nil {
		fmt.Println(err)
		return
	}
	files := fstest.MapFS{"order.html": {Data: []byte(`{{define "content"}}
		<form method="post"><input type="hidden" name="csrf" value="{{.Data}}"><button>Order</button></form>{{end}}`)}}
	page, err := kit.Page(files, nil, "order.html")
	if err != nil {
		fmt.Println(err)
		return
	}
	e, forms := echo.New(), web.Forms{Secure: true}
	e.GET("/order", func(c echo.Context) error {
		return page.Render(c, http.StatusOK, web.Frame{Title: "Order", Narrow: true, Data: forms.Token(c)})
	})
	e.POST("/order", func(c echo.Context) error {
		if err := forms.Check(c); err != nil {
			return echo.NewHTTPError(http.StatusForbidden)
		}
		return c.NoContent(http.StatusNoContent)
	})

	reply := httptest.NewRecorder()
	e.ServeHTTP(reply, httptest.NewRequest(http.MethodPost, "/order", nil))
	fmt.Println(reply.Code)
	// Output: 403
}
