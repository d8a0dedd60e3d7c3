package problem_test

import (
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/picoauth/picoauth/app/problem"
)

func Example() {
	for _, err := range []error{
		fmt.Errorf("order 7: %w", problem.New(409, "already_paid", "the order is paid")),
		errors.New("the password of the database is wrong"),
	} {
		reply := httptest.NewRecorder()
		problem.Write(reply, httptest.NewRequest("POST", "/orders/7/payment", nil), err)
		fmt.Println(reply.Body)
	}
	// Output:
	// {"type":"about:blank","title":"Conflict","status":409,"detail":"the order is paid","code":"already_paid"}
	// {"type":"about:blank","title":"Internal Server Error","status":500,"detail":"internal server error","code":"internal_server_error"}
}
