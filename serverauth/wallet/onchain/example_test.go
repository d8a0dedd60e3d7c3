package onchain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/picoauth/picoauth/serverauth/wallet/onchain"
)

// The endpoint here stands for a node of Base whose contract accepts every signature.
func ExampleVerifier_IsValid() {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Method string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answers := map[string]string{"eth_chainId": "0x2105", "eth_call": "0x01"}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":%q}`, answers[request.Method])
	}))
	defer node.Close()

	endpoint, err := onchain.ParseEndpoint("eip155:8453=" + node.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier := onchain.NewVerifier([]onchain.Endpoint{endpoint}, nil)
	address, digest, signature := [20]byte{1}, [32]byte{2}, make([]byte, 65)
	fmt.Println(verifier.IsValid(context.Background(), 8453, address, digest, signature))

	node.Close() // nothing is known then, and nobody signs in
	valid, err := verifier.IsValid(context.Background(), 8453, address, digest, signature)
	fmt.Println(valid, err != nil)
	// Output:
	// true <nil>
	// false true
}
