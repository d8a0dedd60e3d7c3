package openapitest_test

import (
	"fmt"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil/openapitest"
)

// The document of the auth server is itself checked by a test.
func ExampleDocument_Validate() {
	text, err := serverauth.OpenAPI("https://auth.example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := openapitest.Parse(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(document.Validate())
	// Output: <nil>
}
