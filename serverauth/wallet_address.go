package serverauth

import (
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// maxAddressLength is the maximum length of an address in characters. The hex of an ML-DSA-87 key has 5184.
const maxAddressLength = 8192

// readAddress reads the address of a request, and refuses an invalid one before it is used.
func readAddress(text, algorithm string) (wallet.Address, error) {
	switch {
	case text == "":
		return wallet.Address{}, errAddressRequired
	case len(text) > maxAddressLength && utf8.RuneCountInString(text) > maxAddressLength:
		return wallet.Address{}, errAddressTooLong
	}
	address, err := wallet.ParseAddress(text, algorithm)
	switch {
	case err != nil:
		return address, addressProblem(err)
	case address.String() == "":
		return address, errAddressRequired
	default:
		return address, nil
	}
}

// addressProblem returns the problem for an address with a wrong format or checksum.
func addressProblem(err error) error {
	if wrong, ok := errors.AsType[*wallet.AddressError](err); ok {
		return invalidAddress(wrong.Reason)
	}
	return errBadChecksum
}

// invalidAddress returns the problem of an invalid address; reason completes the sentence "invalid address: it …".
func invalidAddress(reason string) *app.Problem {
	return hinted(app.NewProblem(http.StatusBadRequest, wallet.Code(wallet.ErrInvalidAddress), "invalid address: it "+reason), "the address "+reason)
}

// claimed returns the address that a sign-in request claims, shortened for the log. If it could be read, it has the form that it
// has in tokens.
func (r *signInRequest) claimed() string {
	if r.read == (wallet.Address{}) {
		return shorten(r.Address)
	}
	return shorten(r.read.Canonical())
}
