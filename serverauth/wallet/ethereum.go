package wallet

import (
	"encoding/hex"
	"errors"
	"strings"

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
	if !isEthereum(text) {
		return EthereumAddress{}, errNotEthereum
	}
	var address EthereumAddress
	digits := text[2:]
	if _, err := hex.Decode(address[:], []byte(digits)); err != nil {
		return EthereumAddress{}, errNotEthereum
	}
	mixed := digits != strings.ToLower(digits) && digits != strings.ToUpper(digits)
	if mixed && text != address.String() {
		return EthereumAddress{}, ErrBadChecksum
	}
	return address, nil
}

// String is the address with its EIP-55 checksum: a letter is upper case where
// the digit of the hash of the lowercase address is 8 or more.
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

func isEthereum(text string) bool {
	if len(text) != 42 || text[:2] != "0x" {
		return false
	}
	_, classes := hexDigits(text)
	return classes&noHex == 0
}

// identifyEthereum holds a claimed Ethereum address against a key.
func identifyEthereum(address string, key *secp256k1.PublicKey) (Identity, error) {
	claimed, err := ParseEthereumAddress(address)
	if errors.Is(err, ErrBadChecksum) {
		return Identity{}, err
	}
	if err != nil || claimed != ethereumAddressOf(key) {
		return Identity{}, ErrAddressMismatch
	}
	return Identity{Address: claimed.String(), WalletID: thumbprintSecp256k1(key), Chain: NamespaceEthereum}, nil
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
