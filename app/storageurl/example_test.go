package storageurl_test

import (
	"fmt"

	"github.com/picoauth/picoauth/app/storageurl"
)

// A password with an @ in it would make a part of the password a host.
func ExampleCheck() {
	fmt.Println(storageurl.Check("postgres://user:p%40ss@db.example.com/auth"))
	fmt.Println(storageurl.Check("postgres://user:p@ss@db.example.com/auth") != nil)
	// Output:
	// <nil>
	// true
}
