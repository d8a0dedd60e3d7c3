package dpop_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/testutil"
)

// A token endpoint binds its tokens to the key that the client proves to hold.
func Example() {
	proofs, err := dpop.New(dpop.Config{Issuer: "https://auth.example.com", Leeway: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	endpoint := func(r *http.Request) {
		proof, err := proofs.Read(r) // before anything is spent
		if err == nil {
			err = proof.Spend(r.Context()) // the client is known to be who it says
		}
		fmt.Println("bound:", proof.Key() != "", "error:", err)
	}

	r := httptest.NewRequest(http.MethodPost, "https://auth.example.com/token", nil)
	endpoint(r)
	r.Header.Set("DPoP", testutil.NewProofKey("ES256").Proof(http.MethodPost, "https://auth.example.com/token", "", nil))
	endpoint(r)
	endpoint(r)
	// Output:
	// bound: false error: <nil>
	// bound: true error: <nil>
	// bound: true error: 400 invalid_dpop_proof: the DPoP proof is not valid
}
