package jose_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// A set may hold keys of types that this program has never heard of; they are skipped.
func ExampleParseSet() {
	keys, skipped, err := jose.ParseSet([]byte(`{"keys":[
		{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
		{"kty":"QUANTUM","kid":"two"}
	]}`))
	fmt.Println(len(keys), len(skipped), err)
	fmt.Println(keys[0].Fits(jose.EdDSA), keys[0].Fits(jose.RS256))
	// Output:
	// 1 1 <nil>
	// true false
}

func ExampleKey_Verify() {
	private, err := jose.GenerateMLDSAKey(jose.MLDSA44)
	if err != nil {
		panic(err)
	}
	method, _ := jose.SigningMethod(jose.MLDSA44)
	signature, err := method.Sign("header.payload", private)
	if err != nil {
		panic(err)
	}
	key := jose.Key{ID: "one", Algorithm: jose.MLDSA44, Public: private.Public()}
	fmt.Println(key.Verify(jose.MLDSA44, "header.payload", signature))
	err = key.Verify(jose.MLDSA44, "another.payload", signature)
	fmt.Println(errors.Is(err, jose.ErrInvalidSignature))
	// Output:
	// <nil>
	// true
}

func ExampleThumbprint() {
	var key jose.Key
	if err := json.Unmarshal([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`), &key); err != nil {
		panic(err)
	}
	id, err := jose.Thumbprint(key.Public)
	fmt.Println(id, err)
	// Output: kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k <nil>
}
