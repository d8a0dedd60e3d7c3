package signin_test

import (
	"crypto/ed25519"
	"fmt"
	"net/http"
	"testing"

	"github.com/picoauth/picoauth/clientauth/signin"
)

// A service signs in with its key and calls another one. Processes that share the state file share the session.
func Example() {
	running := newServer(exampleTB{new(testing.T)}, nil)

	source, err := signin.NewSource(signin.Config{
		Issuer: running.URL, Algorithm: signin.Ed25519, Signer: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: signin.NewTransport(source, nil)}
	reply, err := client.Get(running.URL + "/api/profile")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reply.Body.Close()
	fmt.Println(reply.Status)
	// Output: 200 OK
}

// exampleTB lets an example run a server as a test does, until the program ends.
type exampleTB struct{ *testing.T }

func (exampleTB) Cleanup(func()) {}
func (exampleTB) Helper()        {}
func (exampleTB) Log(...any)     {}
func (exampleTB) Logf(string, ...any) {
}
