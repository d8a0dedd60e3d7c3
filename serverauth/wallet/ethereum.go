package wallet

import (
	"encoding/hex"
	"errors"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"golang.org/x/crypto/sha3"
)

// EthereumAddress is the last 20 bytes of the Keccak-256 of a key.
type EthereumAddress [20]byte

var errNotEthereum = errors.New("not an Ethereum address")

// ParseEthereumAddress reads 0x and 40 hex digits. All lower and all upper
// case are accepted; mixed case must be the EIP-55 checksum, else the error is
// ErrBadChecksum.
func ParseEthereumAddress(text string) (EthereumAddress, error) {
	a := read(text)
	if err := a.checkEthereum(); err != nil {
		return EthereumAddress{}, err
	}
	return a.ethereum, nil
}

// checkEthereum returns an error for an address of another kind, and for a wrong checksum.
func (a Address) checkEthereum() error {
	switch {
	case a.kind != Ethereum:
		return errNotEthereum
	case a.wrongChecksum:
		return ErrBadChecksum
	default:
		return nil
	}
}

// String returns the address with its EIP-55 checksum: a letter is upper case
// where the digit of the hash of the lowercase address is 8 or more.
func (a EthereumAddress) String() string {
	var digits [40]byte
	hex.Encode(digits[:], a[:])
	hash := keccak256(digits[:])
	for i, c := range digits {
		nibble := hash[i/2] >> (4 * (1 - i%2)) & 0x0f
		if c >= 'a' && nibble >= 8 {
			digits[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(digits[:])
}

// identifyEthereum compares a claimed Ethereum address with a key.
func identifyEthereum(address Address, key *secp256k1.PublicKey) (Identity, error) {
	if address.wrongChecksum {
		return Identity{}, ErrBadChecksum
	}
	if address.kind != Ethereum || address.ethereum != ethereumAddressOf(key) {
		return Identity{}, ErrAddressMismatch
	}
	return Identity{Address: address.checksummed, WalletID: thumbprintSecp256k1(key), Chain: NamespaceEthereum}, nil
}

func ethereumAddressOf(key *secp256k1.PublicKey) EthereumAddress {
	hash := keccak256(key.SerializeUncompressed()[1:])
	return EthereumAddress(hash[12:])
}

// keccak256 is the original Keccak, whose padding differs from SHA3-256.
func keccak256(parts ...[]byte) (sum [32]byte) {
	h := sha3.NewLegacyKeccak256()
	for _, part := range parts {
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}
