package apidocs_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/apidocs"
)

// Without fx, on an echo of one's own.
func ExampleRegister() {
	e := echo.New()
	if _, err := apidocs.Register(e); err != nil {
		fmt.Println(err)
		return
	}
	reply := httptest.NewRecorder()
	e.ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/api/v1/auth/docs", nil))
	fmt.Println(reply.Code, reply.Header().Get("Content-Type"))
	// Output: 200 text/html; charset=utf-8
}
