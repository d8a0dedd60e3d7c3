package wallet

import (
	"crypto/ed25519"
	"encoding/hex"
)

// WalletID returns the wallet id (RFC 7638 thumbprint) of an address that
// contains its key, in hex or base58. It returns "" for any other address, such
// as an Ethereum address or a thumbprint.
func (a Address) WalletID() string {
	id, _ := a.ofOwnKey()
	return id.WalletID
}

// HoldsKey reports whether the address has the form of a raw key, in hex or
// base58.
func (a Address) HoldsKey() bool {
	scheme, _ := a.ownKey()
	return scheme != nil
}

// ofOwnKey identifies an address by the key that it contains.
func (a Address) ofOwnKey() (id Identity, ok bool) {
	scheme, key := a.ownKey()
	if scheme == nil {
		return Identity{}, false
	}
	id, err := scheme.identify(a, key)
	return id, err == nil
}

// ownKey returns the key that an address contains, and the scheme that has keys of that length.
func (a Address) ownKey() (parsed, []byte) {
	if a.kind == Solana {
		return ed25519Scheme{}, a.solana[:]
	}
	scheme := schemeOf(len(a.challenge) / 2)
	if scheme == nil {
		return nil, nil
	}
	key, err := hex.DecodeString(a.challenge)
	if err != nil {
		return nil, nil
	}
	return scheme, key
}

// schemeOf returns the scheme whose raw keys have keySize bytes, or nil. It only identifies.
func schemeOf(keySize int) parsed {
	switch keySize {
	case ed25519.PublicKeySize:
		return ed25519Scheme{}
	case 33, 65:
		return secp256k1Scheme{}
	case 1312:
		return mldsaScheme{algorithm: MLDSA44Algorithm, keySize: keySize}
	case 1952:
		return mldsaScheme{algorithm: MLDSA65Algorithm, keySize: keySize}
	case 2592:
		return mldsaScheme{algorithm: MLDSA87Algorithm, keySize: keySize}
	default:
		return nil
	}
}
