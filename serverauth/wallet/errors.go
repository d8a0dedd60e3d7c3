package wallet

import (
	"errors"
	"fmt"
)

// Errors of signatures and addresses. ErrHighS, ErrLowOrderKey and
// ErrWrongLength are also an ErrInvalidSignature.
var (
	// ErrInvalidSignature: the signature is not valid for this key and message,
	// or the key or signature is malformed.
	ErrInvalidSignature error = &refusal{code: "invalid_signature", text: "signature verification failed"}

	// ErrHighS: an ECDSA signature whose s is above half the group order.
	// Anyone can compute it from the low s, so only the low s is accepted.
	ErrHighS error = &refusal{code: "high_s", text: "s is above half the order", parent: ErrInvalidSignature}

	// ErrLowOrderKey: an Ed25519 key for which anyone can make signatures.
	ErrLowOrderKey error = &refusal{code: "low_order_key", text: "public key has low order", parent: ErrInvalidSignature}

	// ErrWrongLength: a public key or signature of a wrong length for the
	// scheme.
	ErrWrongLength error = &refusal{code: "wrong_length", text: "wrong length", parent: ErrInvalidSignature}

	// ErrBadChecksum: an Ethereum address in mixed case with a wrong EIP-55
	// checksum, most likely a typing error.
	ErrBadChecksum error = &refusal{code: "bad_checksum", text: "address checksum is wrong"}

	// ErrNoChecksum: an Ethereum address in all lower or all upper case where
	// its EIP-55 checksum is required. It is an ErrBadChecksum.
	ErrNoChecksum error = &refusal{code: "bad_checksum", text: "address has no checksum", parent: ErrBadChecksum}

	// ErrAddressMismatch: the claimed address is not that of the key that
	// signed.
	ErrAddressMismatch error = &refusal{code: "address_mismatch", text: "address does not match verified public key"}
)

// Errors of sign-in messages.
var (
	// ErrMalformedMessage: the text does not follow the grammar of sign-in
	// messages. It is usually wrapped in a *SyntaxError, which names the line.
	ErrMalformedMessage error = &refusal{code: "malformed_message", text: "malformed message"}

	// ErrDomainMismatch: the message was made for another site.
	ErrDomainMismatch error = &refusal{code: "domain_mismatch", text: "message domain is not allowed"}

	// ErrURIMismatch: the message's URI is not of an allowed site.
	ErrURIMismatch error = &refusal{code: "uri_mismatch", text: "message URI is not of an allowed domain"}

	// ErrChainNotAllowed: the message names a chain that is not configured.
	ErrChainNotAllowed error = &refusal{code: "chain_not_allowed", text: "chain not allowed"}

	// ErrMessageExpired: its Expiration Time has passed.
	ErrMessageExpired error = &refusal{code: "message_expired", text: "message has expired"}

	// ErrMessageNotYetValid: its Not Before is in the future.
	ErrMessageNotYetValid error = &refusal{code: "message_not_yet_valid", text: "message is not valid yet"}

	// ErrIssuedAtOutOfRange: its Issued At is in the future, or older than a
	// challenge can be.
	ErrIssuedAtOutOfRange error = &refusal{code: "issued_at_out_of_range", text: "message issue time is out of range"}
)

// Errors of chain and account identifiers.
var (
	// ErrInvalidChainID: not a CAIP-2 chain.
	ErrInvalidChainID error = &refusal{code: "invalid_chain_id", text: "invalid chain_id"}

	// ErrInvalidAccountID: not a CAIP-10 account.
	ErrInvalidAccountID error = &refusal{code: "invalid_account_id", text: "invalid account id"}
)

// LengthError says what has the wrong length. It is an ErrWrongLength.
type LengthError struct {
	Of   string // "public key" or "signature"
	Got  int    // bytes
	Want string // such as "64"
}

func (e *LengthError) Error() string {
	return fmt.Sprintf("the %s has %d bytes and must have %s", e.Of, e.Got, e.Want)
}

// Unwrap makes errors.Is find ErrWrongLength.
func (e *LengthError) Unwrap() error { return ErrWrongLength }

// FormError says why a key or signature is malformed, whatever the message is.
// It is an ErrInvalidSignature.
type FormError struct {
	Reason string // begins with "the public key" or "the signature"; contains no client input except numbers
}

func (e *FormError) Error() string { return e.Reason }

// Unwrap makes errors.Is find ErrInvalidSignature.
func (e *FormError) Unwrap() error { return ErrInvalidSignature }

// keyLength and signatureLength return the *LengthError of a scheme.
func keyLength(key []byte, want string) error {
	return &LengthError{Of: "public key", Got: len(key), Want: want}
}

func signatureLength(signature []byte, want string) error {
	return &LengthError{Of: "signature", Got: len(signature), Want: want}
}

// refusal is a sentinel error with a stable machine-readable code. errors.Is
// also finds its parent, which is more general.
type refusal struct {
	code, text string
	parent     error
}

func (r *refusal) Error() string { return r.text }

func (r *refusal) Unwrap() error { return r.parent }

// Code returns the stable name of the rule behind err, as in the code of a problem and in the
// security log: invalid_signature, high_s, low_order_key, wrong_length, bad_checksum,
// address_mismatch, malformed_message, domain_mismatch, uri_mismatch, chain_not_allowed,
// message_expired, message_not_yet_valid, issued_at_out_of_range, invalid_chain_id,
// invalid_account_id or invalid_address. It returns "" for an error of another package.
func Code(err error) string {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.code
	}
	return ""
}
