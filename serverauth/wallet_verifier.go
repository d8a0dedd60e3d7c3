package serverauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// ErrUnsupportedAlgorithm is returned for a wallet algorithm that is not in supported_wallet_algorithms.
var ErrUnsupportedAlgorithm = errors.New("serverauth: unsupported wallet algorithm")

// ErrInvalidSignature is returned if the signature is not one of the key over the message, and for a malformed key or
// signature. It is wallet.ErrInvalidSignature.
var ErrInvalidSignature = wallet.ErrInvalidSignature

// WalletScheme verifies one wallet algorithm. An app adds its own with AsWalletScheme.
type WalletScheme = wallet.Scheme

// WalletVerifier verifies signatures of the allowed wallet algorithms with the scheme of each.
type WalletVerifier struct {
	allowed map[string]WalletScheme
	own     []WalletScheme // of the app
}

// NewWalletVerifier returns a verifier that allows the algorithms in supported_wallet_algorithms and the given schemes. A given
// scheme replaces a built-in one with the same name. An unknown algorithm in the settings is an ErrUnsupportedAlgorithm, and
// two given schemes with one name are an error.
func NewWalletVerifier(settings ServerAuthSettings, schemes ...WalletScheme) (*WalletVerifier, error) {
	known := make(map[string]WalletScheme)
	for _, scheme := range builtinSchemes() {
		known[scheme.Algorithm()] = scheme
	}
	allowed := make(map[string]WalletScheme)
	for _, scheme := range schemes {
		if allowed[scheme.Algorithm()] != nil {
			return nil, fmt.Errorf("serverauth: two wallet schemes for %q", scheme.Algorithm())
		}
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
	return &WalletVerifier{allowed: allowed, own: schemes}, nil
}

// Scheme returns the scheme of an allowed algorithm, or ErrUnsupportedAlgorithm.
func (v *WalletVerifier) Scheme(algorithm string) (WalletScheme, error) {
	if scheme, ok := v.allowed[algorithm]; ok {
		return scheme, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrUnsupportedAlgorithm, algorithm)
}

// Verify returns nil if signature is one of publicKey over message. publicKey is the raw key; for eip191 it is the 20-byte
// address or a SEC1 key. It is required also for a scheme that recovers the key, because otherwise any signature would be
// valid. The errors are ErrUnsupportedAlgorithm and ErrInvalidSignature.
func (v *WalletVerifier) Verify(algorithm string, publicKey, message, signature []byte) error {
	scheme, err := v.Scheme(algorithm)
	if err != nil {
		return err
	}
	if len(publicKey) == 0 {
		return fmt.Errorf("serverauth: a public key is required: %w", ErrInvalidSignature)
	}
	_, err = scheme.Verify(context.Background(), wallet.ChainID{}, publicKey, message, signature)
	return err
}

// AddressScheme is a WalletScheme that knows the format of its addresses. An app's own scheme should implement it, so that no
// fleet session can have the name of one of its wallets.
type AddressScheme interface {
	WalletScheme
	// IsAddress reports whether text has the format of an address.
	IsAddress(text string) bool
}

// mayHaveAddress reports whether text can be the address of a wallet that may sign in.
func (v *WalletVerifier) mayHaveAddress(text string) bool {
	if hasAddressForm(text) {
		return true
	}
	for _, scheme := range v.own {
		if known, ok := scheme.(AddressScheme); !ok || known.IsAddress(text) {
			return true
		}
	}
	return false
}

// looksLikeAddress reports whether text could be mistaken for a wallet address. If the app has a scheme that is no AddressScheme,
// any long word of letters and digits counts as one.
func looksLikeAddress(text string, own []WalletScheme) bool {
	if digits, ok := strings.CutPrefix(text, "0X"); ok {
		text = "0x" + digits
	}
	lower := strings.ToLower(text)
	for _, chain := range []string{"did:pkh:", wallet.NamespaceEthereum + ":", wallet.NamespaceSolana + ":"} {
		if strings.HasPrefix(lower, chain) {
			return true
		}
	}
	if hasAddressForm(text) {
		return true
	}
	last := text[strings.LastIndexByte(text, ':')+1:]
	for _, scheme := range own {
		known, ok := scheme.(AddressScheme)
		switch {
		case ok && (known.IsAddress(text) || known.IsAddress(last)):
			return true
		case !ok && len(last) >= shortestAddress && !strings.ContainsFunc(last, isNoAlphanumeric):
			return true
		}
	}
	return false
}

// shortestAddress is the minimum length, in characters, of a word that looksLikeAddress takes for an address of such a scheme.
const shortestAddress = 20

func isNoAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// hasAddressForm reports whether text has the format of an address of a built-in algorithm: an address of a chain, a raw key, or
// a thumbprint, which is the address of an ML-DSA wallet.
func hasAddressForm(text string) bool {
	if address := wallet.ReadAddress(text); address.Kind() != wallet.Raw || address.HoldsKey() {
		return true
	}
	thumbprint, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(thumbprint) == sha256.Size
}

func builtinSchemes() []WalletScheme {
	return []WalletScheme{
		wallet.MLDSA44(), wallet.MLDSA65(), wallet.MLDSA87(), wallet.Ed25519(), wallet.Secp256k1(), wallet.EIP191(),
	}
}
