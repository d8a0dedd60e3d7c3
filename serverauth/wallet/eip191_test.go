package wallet_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// The example of web3.eth.accounts.sign in the documentation of web3.js: key
// 0x4c0883a6…, message "Some data".
const (
	web3Address   = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
	web3Signature = "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c"
)

func TestEIP191KnownVector(t *testing.T) {
	scheme := wallet.EIP191()
	key, err := scheme.Verify(background, noChain, nil, []byte("Some data"), unhex(t, web3Signature))
	if err != nil {
		t.Fatal(err)
	}
	id, err := scheme.Identify(web3Address, key)
	if err != nil || id.Address != web3Address || id.Chain != wallet.NamespaceEthereum {
		t.Errorf("%+v, %v", id, err)
	}
	private := secp256k1.PrivKeyFromBytes(unhex(t, "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"))
	if !bytes.Equal(key, private.PubKey().SerializeUncompressed()) {
		t.Errorf("recovered %x", key)
	}
}

func TestEIP191Signatures(t *testing.T) {
	private := secp256k1.PrivKeyFromBytes([]byte{9})
	message := []byte("one line\nand another, with ünïcode")
	good := personalSign(private, message)
	with := func(change func(signature []byte) []byte) []byte { return change(slices.Clone(good)) }
	setV := func(v byte) []byte { return with(func(s []byte) []byte { s[64] = v; return s }) }
	parity := good[64] - 27
	compact := with(func(s []byte) []byte { s[32] |= parity << 7; return s[:64] })
	high := highS([32]byte(good[32:64]))
	order := unhex(t, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	for _, test := range []struct {
		name      string
		signature []byte
		want      error // nil: valid
	}{
		{"v is 27 or 28", good, nil},
		{"v is 0 or 1", setV(parity), nil},
		{"EIP-2098", compact, nil},
		{"the other parity", setV(28 - parity), wallet.ErrInvalidSignature},
		{"EIP-2098 with the other parity", with(func(s []byte) []byte { s[32] |= (1 - parity) << 7; return s[:64] }), wallet.ErrInvalidSignature},
		{"v is 2", setV(2), wallet.ErrInvalidSignature},
		{"v is 26", setV(26), wallet.ErrInvalidSignature},
		{"v is 29", setV(29), wallet.ErrInvalidSignature},
		{"v is 31, compressed", setV(31), wallet.ErrInvalidSignature},
		{"v is 37, EIP-155", setV(37 + parity), wallet.ErrInvalidSignature},
		{"v is 255", setV(255), wallet.ErrInvalidSignature},
		{"high s", slices.Concat(good[:32], high[:], []byte{28 - parity}), wallet.ErrHighS},
		{"zero r", slices.Concat(make([]byte, 32), good[32:]), wallet.ErrInvalidSignature},
		{"zero s", slices.Concat(good[:32], make([]byte, 32), good[64:]), wallet.ErrInvalidSignature},
		{"r = n", slices.Concat(order, good[32:]), wallet.ErrInvalidSignature},
		{"s = n", slices.Concat(good[:32], order, good[64:]), wallet.ErrInvalidSignature},
		{"empty", nil, wallet.ErrWrongLength},
		{"63 bytes", good[:63], wallet.ErrWrongLength},
		{"66 bytes", append(slices.Clone(good), 0), wallet.ErrWrongLength},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, expected := range [][]byte{
				private.PubKey().SerializeCompressed(), private.PubKey().SerializeUncompressed(),
				keccak(private.PubKey().SerializeUncompressed()[1:])[12:],
			} {
				_, err := wallet.EIP191().Verify(background, noChain, expected, message, test.signature)
				if !errors.Is(err, test.want) || err != nil && !errors.Is(err, wallet.ErrInvalidSignature) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			}
		})
	}
}

func TestEIP191ExpectedKey(t *testing.T) {
	private, stranger := secp256k1.PrivKeyFromBytes([]byte{9}), secp256k1.PrivKeyFromBytes([]byte{10})
	message := []byte("message")
	signature := personalSign(private, message)
	uncompressed := private.PubKey().SerializeUncompressed()
	for _, test := range []struct {
		name     string
		expected []byte
		want     error
	}{
		{"none", nil, nil},
		{"another's key", stranger.PubKey().SerializeCompressed(), wallet.ErrInvalidSignature},
		{"another's address", keccak(stranger.PubKey().SerializeUncompressed()[1:])[12:], wallet.ErrInvalidSignature},
		{"hybrid key", append([]byte{6 + uncompressed[64]&1}, uncompressed[1:]...), wallet.ErrInvalidSignature},
		{"19 bytes", make([]byte, 19), wallet.ErrWrongLength},
		{"32 bytes", make([]byte, 32), wallet.ErrWrongLength},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := wallet.EIP191().Verify(background, noChain, test.expected, message, signature); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	key, err := wallet.EIP191().Verify(background, noChain, nil, message, signature)
	if err != nil {
		t.Fatal(err)
	}
	_, err = wallet.EIP191().Identify(ethereumOf(stranger.PubKey()), key)
	if !errors.Is(err, wallet.ErrInvalidSignature) || !errors.Is(err, wallet.ErrAddressMismatch) || wallet.Code(err) != "invalid_signature" {
		t.Errorf("another's address: %v", err)
	}
	if _, err := wallet.EIP191().Identify(hex.EncodeToString(key), key); err == nil {
		t.Error("a key in hex is no Ethereum address")
	}
}
