package wallet_test

import (
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

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

// What the built-in schemes do not look at.
var (
	background = context.Background()
	noChain    wallet.ChainID
)

// testWallet signs as a client does.
type testWallet struct {
	scheme    wallet.Scheme
	key       []byte // as Verify is given it
	addresses []string
	sign      func(message []byte) []byte
}

// newWallets returns one wallet for each scheme, always the same ones.
func newWallets(t testing.TB) []testWallet {
	t.Helper()
	var seed [32]byte
	copy(seed[:], "a seed of thirty-two bytes, fixed")
	private := ed25519.NewKeyFromSeed(seed[:])
	solana := base58.Encode(private[32:])
	curve := secp256k1.PrivKeyFromBytes(seed[:])
	ethereum := ethereumOf(curve.PubKey())
	return []testWallet{
		{wallet.Ed25519(), private[32:], []string{hex.EncodeToString(private[32:]), solana},
			func(message []byte) []byte { return ed25519.Sign(private, message) }},
		{wallet.Secp256k1(), curve.PubKey().SerializeCompressed(),
			[]string{hex.EncodeToString(curve.PubKey().SerializeUncompressed()), ethereum},
			func(message []byte) []byte {
				digest := sha256.Sum256(message)
				return ecdsa.Sign(curve, digest[:]).Serialize()
			}},
		{wallet.EIP191(), nil, []string{ethereum}, func(message []byte) []byte { return personalSign(curve, message) }},
		mldsaWallet(wallet.MLDSA44(), mldsa44.Scheme(), seed[:]),
		mldsaWallet(wallet.MLDSA65(), mldsa65.Scheme(), seed[:]),
		mldsaWallet(wallet.MLDSA87(), mldsa87.Scheme(), seed[:]),
	}
}

func mldsaWallet(scheme wallet.Scheme, circl sign.Scheme, seed []byte) testWallet {
	public, private := circl.DeriveKey(seed)
	key, err := public.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return testWallet{scheme, key, []string{hex.EncodeToString(key)},
		func(message []byte) []byte { return circl.Sign(private, message, nil) }}
}

// personalSign is what Ethereum wallets do, r‖s‖v with v 27 or 28.
func personalSign(key *secp256k1.PrivateKey, message []byte) []byte {
	compact := ecdsa.SignCompact(key, keccak(fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d%s", len(message), message)), false)
	return append(compact[1:], compact[0])
}

func ethereumOf(key *secp256k1.PublicKey) string {
	return wallet.EthereumAddress(keccak(key.SerializeUncompressed()[1:])[12:]).String()
}

func keccak(data []byte) []byte {
	h := sha3.NewLegacyKeccak256()
	h.Write(data)
	return h.Sum(nil)
}

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const testNonce = "2f6b1d8c9e0a4f7353c1d2e4b5a69788a1b2c3d4e5f60718293a4b5c6d7e8f90"

func testPolicy() wallet.MessagePolicy {
	return wallet.MessagePolicy{
		Domains: []wallet.Domain{{Host: "example.com"}, {Host: "localhost:8100"}},
		Chains: []wallet.ChainID{
			{Namespace: "eip155", Reference: "1"},
			{Namespace: "solana", Reference: "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"},
		},
		MaxAge:    5 * time.Minute,
		ClockSkew: time.Minute,
	}
}

// ethereumMessage is acceptable to testPolicy at testNow.
func ethereumMessage() *wallet.Message {
	expires := testNow.Add(5 * time.Minute)
	return &wallet.Message{
		Domain: "example.com", Account: wallet.EthereumAccount,
		Address:   "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045",
		Statement: "Sign in to Example.", URI: "https://example.com/login",
		Chain: wallet.ChainID{Namespace: "eip155", Reference: "1"},
		Nonce: testNonce, IssuedAt: testNow, ExpirationTime: &expires,
	}
}

func solanaMessage() *wallet.Message {
	m := ethereumMessage()
	m.Account = wallet.SolanaAccount
	m.Address = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
	m.Chain = wallet.ChainID{Namespace: "solana", Reference: "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"}
	return m
}

func bareMessage() *wallet.Message {
	m := ethereumMessage()
	m.Account = wallet.MLDSA65Algorithm
	m.Address = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
	m.Chain = wallet.ChainID{}
	return m
}

// readVectors decodes a gzipped JSON file of testdata.
func readVectors(t testing.TB, path string, into any) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(unzipped).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// hexBytes is bytes that JSON has in hex.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
