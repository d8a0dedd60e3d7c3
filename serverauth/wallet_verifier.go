package serverauth

import (
	"errors"
	"fmt"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// ErrUnsupportedAlgorithm is returned for a wallet algorithm that is not in supported_wallet_algorithms.
var ErrUnsupportedAlgorithm = errors.New("serverauth: unsupported wallet algorithm")

// ErrInvalidSignature is returned for a signature that the key did not make over the message, and for a key or
// signature that cannot be one. It is wallet.ErrInvalidSignature.
var ErrInvalidSignature = wallet.ErrInvalidSignature

// WalletScheme verifies one wallet algorithm. An app adds its own with AsWalletScheme.
type WalletScheme = wallet.Scheme

// WalletVerifier dispatches to the scheme of an algorithm and knows which algorithms are allowed.
type WalletVerifier struct {
	allowed map[string]WalletScheme
}

// NewWalletVerifier allows the algorithms that the settings name, of those built in and the given schemes. A scheme
// of one's own is allowed by being given, and replaces a built-in of the same name.
func NewWalletVerifier(settings ServerAuthSettings, schemes ...WalletScheme) (*WalletVerifier, error) {
	known := make(map[string]WalletScheme)
	for _, scheme := range builtinSchemes() {
		known[scheme.Algorithm()] = scheme
	}
	allowed := make(map[string]WalletScheme)
	own := make(map[string]bool)
	for _, scheme := range schemes {
		if own[scheme.Algorithm()] {
			return nil, fmt.Errorf("serverauth: two wallet schemes for %q", scheme.Algorithm())
		}
		own[scheme.Algorithm()] = true
		known[scheme.Algorithm()] = scheme
		allowed[scheme.Algorithm()] = scheme
	}
	for _, name := range settings.SupportedWalletAlgorithms {
		scheme, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("%s.supported_wallet_algorithms: %w: %q", SettingsSection, ErrUnsupportedAlgorithm, name)
		}
		allowed[name] = scheme
	}
	return &WalletVerifier{allowed: allowed}, nil
}

// Scheme returns the scheme of an allowed algorithm, or ErrUnsupportedAlgorithm.
func (v *WalletVerifier) Scheme(algorithm string) (WalletScheme, error) {
	if scheme, ok := v.allowed[algorithm]; ok {
		return scheme, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrUnsupportedAlgorithm, algorithm)
}

// Verify returns nil if signature was made over message by publicKey: the raw key; for eip191 the 20-byte address
// or a SEC1 key. The errors are ErrUnsupportedAlgorithm and ErrInvalidSignature.
func (v *WalletVerifier) Verify(algorithm string, publicKey, message, signature []byte) error {
	scheme, err := v.Scheme(algorithm)
	if err != nil {
		return err
	}
	_, err = scheme.Verify(publicKey, message, signature)
	return err
}

func builtinSchemes() []WalletScheme {
	return []WalletScheme{
		wallet.MLDSA44(), wallet.MLDSA65(), wallet.MLDSA87(), wallet.Ed25519(), wallet.Secp256k1(), wallet.EIP191(),
	}
}
