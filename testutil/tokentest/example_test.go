package tokentest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/testutil/tokentest"
)

func Example() {
	clock, signer := tokentest.NewClock(), tokentest.Signers()[jose.EdDSA]
	validator, err := verify.NewTokenValidator(tokentest.Trusting(clock, signer))
	if err != nil {
		fmt.Println(err)
		return
	}
	token := signer.Token(tokentest.Claims(tokentest.Object{"sub": "bob"}))
	caller, err := validator.Validate(context.Background(), token)
	fmt.Println(caller.Subject, err)

	clock.Move(time.Hour)
	_, err = validator.Validate(context.Background(), token)
	fmt.Println(errors.Is(err, verify.ErrTokenExpired))
	// Output:
	// bob <nil>
	// true
}
