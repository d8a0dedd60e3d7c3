package wallet

import "context"

// Scheme is one way to sign with a wallet. [Ed25519], [Secp256k1], [EIP191],
// [MLDSA44], [MLDSA65] and [MLDSA87] are built in. An application adds its own
// by implementing it.
//
// Both methods must accept slices and strings of any length and content
// without panicking, and must be safe for concurrent use. They must not keep
// or change the slices that they are given.
type Scheme interface {
	// Algorithm returns the name of the scheme, as in a client's request, in
	// supported_wallet_algorithms and in the token's claim.
	Algorithm() string

	// Verify returns the bytes of the key that made signature over message. The
	// usual scheme is given that key as publicKey and returns it. A scheme that
	// recovers the key from the signature may be given no publicKey. chain is
	// the one that the signed message names, or no chain. A scheme that calls a
	// server must stop when ctx is done. The built-in schemes ignore ctx and
	// chain.
	//
	// The error for an invalid signature is an ErrInvalidSignature, and for
	// malformed input often a more precise sentinel as well.
	Verify(ctx context.Context, chain ChainID, publicKey, message, signature []byte) (key []byte, err error)

	// Identify compares the address that a client claims with a key that Verify
	// returned. It fails with ErrAddressMismatch if it is not an address of the
	// key, and with ErrBadChecksum for an Ethereum address in mixed case with a
	// wrong EIP-55 checksum.
	Identify(address string, key []byte) (Identity, error)
}

// builtin is a Scheme of this package, which accepts a parsed address.
type builtin struct{ parsed }

// parsed is a Scheme with a parsed address in place of its text.
type parsed interface {
	Algorithm() string
	Verify(ctx context.Context, chain ChainID, publicKey, message, signature []byte) (key []byte, err error)
	identify(address Address, key []byte) (Identity, error)
}

// Identify implements [Scheme].
func (b builtin) Identify(address string, key []byte) (Identity, error) {
	return b.identify(read(address), key)
}

// Identify is scheme.Identify for a parsed address. An application's own scheme
// gets its text.
func Identify(scheme Scheme, address Address, key []byte) (Identity, error) {
	if own, ok := scheme.(builtin); ok {
		return own.identify(address, key)
	}
	return scheme.Identify(address.text, key)
}

// Identity is who signed, as derived from a verified key.
type Identity struct {
	// Address is the canonical form of the claimed address. It becomes the
	// token's subject, so that a wallet has one subject for all letter cases.
	Address string

	// WalletID is the key's RFC 7638 thumbprint (SHA-256, base64url, 43
	// characters). It is the same for every form of address of one key.
	WalletID string

	// Chain is the CAIP-2 namespace that the address belongs to:
	// NamespaceEthereum, NamespaceSolana, or empty for a bare key.
	Chain string
}
