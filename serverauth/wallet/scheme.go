package wallet

import "context"

// Scheme is one way to sign with a wallet. An application adds its own by
// implementing it; [Ed25519], [Secp256k1], [EIP191], [MLDSA44], [MLDSA65] and [MLDSA87] are
// built in.
//
// Both methods must accept slices and strings of any length and content
// without panicking, and must be safe for concurrent use. They must not keep
// or change the slices that they are given.
type Scheme interface {
	// Algorithm is the name by which a client asks for the scheme, as it is
	// written in supported_wallet_algorithms and in the token's claim.
	Algorithm() string

	// Verify returns the bytes of the key that made signature over message.
	// The usual scheme is given that key as publicKey and returns it. A scheme
	// that recovers the key from the signature may be given no publicKey.
	// chain is the one that the signed message names, or no chain. Whoever asks
	// a server ends with ctx; what needs neither, as all built-in schemes, does
	// not look at them.
	//
	// A refusal satisfies errors.Is(err, ErrInvalidSignature), and for
	// malformed input often a more precise sentinel as well.
	Verify(ctx context.Context, chain ChainID, publicKey, message, signature []byte) (key []byte, err error)

	// Identify binds the address that a client claims to a key that Verify
	// returned. It fails with ErrAddressMismatch when the key does not yield
	// that address, and with ErrBadChecksum for an Ethereum address in mixed
	// case with the wrong EIP-55 checksum.
	Identify(address string, key []byte) (Identity, error)
}

// builtin is a Scheme of this package: it takes an address that was read.
type builtin interface {
	Scheme
	identify(address Address, key []byte) (Identity, error)
}

// Identify is scheme.Identify for an address that was read already. A scheme of
// an application's own is given its text.
func Identify(scheme Scheme, address Address, key []byte) (Identity, error) {
	if own, ok := scheme.(builtin); ok {
		return own.identify(address, key)
	}
	return scheme.Identify(address.text, key)
}

// Identity is who signed, as derived from a verified key.
type Identity struct {
	// Address is the canonical form of the address that was claimed. It
	// becomes the token's subject, so one wallet is one subject whatever the
	// letter case that a client sent.
	Address string

	// WalletID is the key's RFC 7638 thumbprint (SHA-256, base64url, 43
	// characters). It is the same for every form of address of one key.
	WalletID string

	// Chain is the CAIP-2 namespace that the address belongs to:
	// NamespaceEthereum, NamespaceSolana, or empty for a bare key.
	Chain string
}
