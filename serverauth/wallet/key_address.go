package wallet

import (
	"crypto/ed25519"
	"encoding/hex"
	"strings"
)

// IDOfAddress returns the wallet id (RFC 7638 thumbprint) of an address that
// holds its key: hex of a raw key, or base58. It is empty for an Ethereum
// address and a thumbprint, which do not, and for what is no address.
func IDOfAddress(address string) string {
	scheme, key := keyInAddress(address)
	if scheme == nil {
		return ""
	}
	identity, err := scheme.Identify(address, key)
	if err != nil {
		return ""
	}
	return identity.WalletID
}

// CanonicalSubject is the form that an address has as a token's subject,
// however it was typed: the EIP-55 checksum of an Ethereum address, the
// canonical form of an address that holds its key, and anything else as it is.
func CanonicalSubject(address string) string {
	if KindOf(address) == Ethereum {
		if parsed, err := ParseEthereumAddress(strings.ToLower(address)); err == nil {
			return parsed.String()
		}
	}
	if scheme, key := keyInAddress(address); scheme != nil {
		if identity, err := scheme.Identify(address, key); err == nil {
			return identity.Address
		}
	}
	return address
}

// HoldsKey reports whether an address has the form of a raw key, in hex or
// base58.
func HoldsKey(address string) bool {
	scheme, _ := keyInAddress(address)
	return scheme != nil
}

func keyInAddress(address string) (Scheme, []byte) {
	if key, ok := SolanaKey(address); ok {
		return Ed25519(), key
	}
	key, err := hex.DecodeString(strings.TrimPrefix(address, "0x"))
	if err != nil {
		return nil, nil
	}
	switch len(key) {
	case ed25519.PublicKeySize:
		return Ed25519(), key
	case 33, 65:
		return Secp256k1(), key
	case 1312:
		return MLDSA44(), key
	case 1952:
		return MLDSA65(), key
	case 2592:
		return MLDSA87(), key
	default:
		return nil, nil
	}
}
