package wallet_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// A service signs the bare nonce with a key of its own.
func ExampleEd25519() {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	nonce := []byte("2f6b1d8c9e0a4f73")
	signature := ed25519.Sign(private, nonce)

	ctx, scheme := context.Background(), wallet.Ed25519()
	key, err := scheme.Verify(ctx, wallet.ChainID{}, private[32:], nonce, signature)
	if err != nil {
		fmt.Println(wallet.Code(err))
		return
	}
	id, err := scheme.Identify("0x3B6A27BCCEB6A42D62A3A8D02A6F0D73653215771DE243A63AC048A18B59DA29", key)
	fmt.Println(id.Address, err)
	// Output: 3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29 <nil>
}

// A person signs an EIP-4361 message with an Ethereum wallet.
func ExampleMessagePolicy_Check() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	policy := wallet.MessagePolicy{
		Domains: []wallet.Domain{{Host: "example.com"}},
		Chains:  []wallet.ChainID{{Namespace: wallet.NamespaceEthereum, Reference: "1"}},
		MaxAge:  5 * time.Minute,
	}
	private := secp256k1.PrivKeyFromBytes([]byte("thirty-two bytes of a private key"))
	message := wallet.Message{
		Domain:    "example.com",
		Account:   wallet.EthereumAccount,
		Address:   ethereumOf(private.PubKey()),
		Statement: "Sign in to Example.",
		URI:       "https://example.com",
		Chain:     policy.Chains[0],
		Nonce:     "2f6b1d8c9e0a4f73",
		IssuedAt:  now,
	}
	text := message.String()
	signature := personalSign(private, []byte(text))

	received, err := wallet.ParseMessage(text)
	if err == nil {
		err = policy.Check(received, now.Add(time.Minute))
	}
	if err != nil {
		fmt.Println(wallet.Code(err))
		return
	}
	key, err := wallet.EIP191().Verify(context.Background(), received.Chain, nil, []byte(text), signature)
	if err != nil {
		fmt.Println(wallet.Code(err))
		return
	}
	id, err := wallet.EIP191().Identify(received.Address, key)
	fmt.Println(wallet.AccountID{Chain: received.Chain, Address: id.Address}, err)
	// Output: eip155:1:0x1104Cb81F79f9669C2145841d2937f1E70AfBBda <nil>
}

func ExampleCode() {
	ctx := context.Background()
	_, err := wallet.EIP191().Verify(ctx, wallet.ChainID{}, nil, []byte("message"), make([]byte, 10))
	fmt.Println(wallet.Code(err))
	_, err = wallet.Ed25519().Verify(ctx, wallet.ChainID{}, make([]byte, 32), []byte("message"), make([]byte, 64))
	fmt.Println(wallet.Code(err))
	// Output:
	// wrong_length
	// low_order_key
}
