package testutil

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/mr-tron/base58"
	"golang.org/x/crypto/sha3"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// Wallet is a key that signs like a user's wallet.
type Wallet struct {
	// Algorithm is its name in a sign-in request.
	Algorithm string
	// Address is what it asks a challenge for and signs in as.
	Address string
	// PublicKey is the raw key; nil where the request needs none.
	PublicKey []byte
	// Sign signs the bytes of a text, as the wallet's algorithm does.
	Sign func(message []byte) ([]byte, error)
}

// PublicKeyHex is the key as a sign-in request holds it.
func (w *Wallet) PublicKeyHex() string { return hex.EncodeToString(w.PublicKey) }

// SolanaWallet is the name by which NewWallet makes an Ed25519 wallet with a Solana address.
const SolanaWallet = "solana"

// WalletAlgorithms are the names that NewWallet knows: every wallet algorithm that is built in, and SolanaWallet.
func WalletAlgorithms() []string {
	return []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "Ed25519", "secp256k1", "eip191", SolanaWallet}
}

// NewWallet makes a wallet with a random key for one of WalletAlgorithms.
func NewWallet(algorithm string) (*Wallet, error) {
	var seed [WalletSeedSize]byte
	rand.Read(seed[:])
	return WalletFromSeed(algorithm, seed)
}

// WalletSeedSize is the length in bytes of what every wallet's key is derived from.
const WalletSeedSize = 32

// WalletFromSeed makes the wallet of a seed for one of WalletAlgorithms: the same one each time.
func WalletFromSeed(algorithm string, seed [WalletSeedSize]byte) (*Wallet, error) {
	switch algorithm {
	case "ML-DSA-44":
		return newMLDSAWallet(mldsa44.Scheme(), seed)
	case "ML-DSA-65":
		return newMLDSAWallet(mldsa65.Scheme(), seed)
	case "ML-DSA-87":
		return newMLDSAWallet(mldsa87.Scheme(), seed)
	case "Ed25519":
		return newEd25519Wallet(hex.EncodeToString, seed), nil
	case SolanaWallet:
		return newEd25519Wallet(base58.Encode, seed), nil
	case "secp256k1":
		return newSecp256k1Wallet(seed), nil
	case "eip191":
		return newEthereumWallet(seed), nil
	default:
		return nil, fmt.Errorf("testutil: no wallet for algorithm %q; there are %v", algorithm, WalletAlgorithms())
	}
}

func newMLDSAWallet(scheme sign.Scheme, seed [WalletSeedSize]byte) (*Wallet, error) {
	public, private := scheme.DeriveKey(seed[:])
	raw, err := public.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return &Wallet{Algorithm: scheme.Name(), Address: hex.EncodeToString(raw), PublicKey: raw,
		Sign: func(message []byte) ([]byte, error) { return scheme.Sign(private, message, nil), nil }}, nil
}

func newEd25519Wallet(address func([]byte) string, seed [WalletSeedSize]byte) *Wallet {
	private := ed25519.NewKeyFromSeed(seed[:])
	public := private[ed25519.SeedSize:]
	return &Wallet{Algorithm: "Ed25519", Address: address(public), PublicKey: public,
		Sign: func(message []byte) ([]byte, error) { return ed25519.Sign(private, message), nil }}
}

func newSecp256k1Wallet(seed [WalletSeedSize]byte) *Wallet {
	private := secp256k1.PrivKeyFromBytes(seed[:])
	raw := private.PubKey().SerializeCompressed()
	return &Wallet{Algorithm: "secp256k1", Address: hex.EncodeToString(raw), PublicKey: raw,
		Sign: func(message []byte) ([]byte, error) {
			digest := sha256.Sum256(message)
			return ecdsa.Sign(private, digest[:]).Serialize(), nil
		}}
}

// newEthereumWallet signs as personal_sign does.
func newEthereumWallet(seed [WalletSeedSize]byte) *Wallet {
	private := secp256k1.PrivKeyFromBytes(seed[:])
	var address wallet.EthereumAddress
	copy(address[:], keccak256(private.PubKey().SerializeUncompressed()[1:])[12:])
	return &Wallet{Algorithm: "eip191", Address: address.String(),
		Sign: func(message []byte) ([]byte, error) {
			text := fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d%s", len(message), message)
			compact := ecdsa.SignCompact(private, keccak256(text), false) // v, r, s
			return append(compact[1:], compact[0]), nil
		}}
}

func keccak256(text []byte) []byte {
	hash := sha3.NewLegacyKeccak256()
	hash.Write(text)
	return hash.Sum(nil)
}
