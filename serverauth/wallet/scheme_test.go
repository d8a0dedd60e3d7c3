package wallet_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/mr-tron/base58"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

func TestSchemesAcceptTheirOwn(t *testing.T) {
	message := []byte("any message at all")
	for _, w := range newWallets(t) {
		t.Run(w.scheme.Algorithm(), func(t *testing.T) {
			key, err := w.scheme.Verify(background, noChain, w.key, message, w.sign(message))
			if err != nil {
				t.Fatal(err)
			}
			ids := map[string]bool{}
			for _, address := range w.addresses {
				id, err := w.scheme.Identify(address, key)
				if err != nil {
					t.Fatalf("%s: %v", address, err)
				}
				ids[id.WalletID] = true
				again, err := w.scheme.Identify(id.Address, key)
				if err != nil || again != id {
					t.Errorf("the canonical address %s is another one: %+v, %v", id.Address, again, err)
				}
			}
			if len(ids) != 1 {
				t.Errorf("one key has several wallet ids: %v", ids)
			}
		})
	}
}

// A tampered twin differs from what was signed in one bit.
func TestSchemesRefuseTamperedTwins(t *testing.T) {
	message := []byte("any message at all")
	for _, w := range newWallets(t) {
		t.Run(w.scheme.Algorithm(), func(t *testing.T) {
			signature := w.sign(message)
			key, err := w.scheme.Verify(background, noChain, w.key, message, signature)
			if err != nil {
				t.Fatal(err)
			}
			step := 1 + len(signature)*8/520 // a signature of 4627 bytes has many bits
			for bit := 0; bit < len(signature)*8; bit += step {
				mustRefuse(t, w, key, message, flip(signature, bit), fmt.Sprint("signature bit ", bit))
			}
			for bit := range len(message) * 8 {
				mustRefuse(t, w, key, flip(message, bit), signature, fmt.Sprint("message bit ", bit))
			}
			for bit := 0; bit < len(key)*8; bit += 1 + len(key)*8/150 {
				mustRefuse(t, w, flip(key, bit), message, signature, fmt.Sprint("key bit ", bit))
			}
			for length := 0; length < len(signature); length += step {
				if len(signature) == 65 && length == 64 {
					continue // without its v it is an EIP-2098 signature of parity 0
				}
				mustRefuse(t, w, key, message, signature[:length], fmt.Sprint("signature length ", length))
			}
		})
	}
}

func mustRefuse(t *testing.T, w testWallet, key, message, signature []byte, what string) {
	t.Helper()
	if _, err := w.scheme.Verify(background, noChain, key, message, signature); !errors.Is(err, wallet.ErrInvalidSignature) {
		t.Errorf("%s: %v", what, err)
	}
}

func flip(data []byte, bit int) []byte {
	twin := slices.Clone(data)
	twin[bit/8] ^= 1 << (bit % 8)
	return twin
}

func TestSchemesRefuseEachOther(t *testing.T) {
	message := []byte("any message at all")
	wallets := newWallets(t)
	for i, signer := range wallets {
		for j, w := range wallets {
			if i == j {
				continue
			}
			if _, err := w.scheme.Verify(background, noChain, signer.key, message, signer.sign(message)); !errors.Is(err, wallet.ErrInvalidSignature) {
				t.Errorf("%s as %s: %v", signer.scheme.Algorithm(), w.scheme.Algorithm(), err)
			}
		}
	}
}

func TestIdentify(t *testing.T) {
	wallets := newWallets(t)
	ed, curve, mldsa := wallets[0], wallets[1], wallets[4]
	public, err := secp256k1.ParsePubKey(curve.key)
	if err != nil {
		t.Fatal(err)
	}
	compressed, uncompressed := hex.EncodeToString(public.SerializeCompressed()), hex.EncodeToString(public.SerializeUncompressed())
	ethereum := ethereumOf(public)
	edHex, mldsaHex := hex.EncodeToString(ed.key), hex.EncodeToString(mldsa.key)
	thumbprint := jose.ThumbprintAKP("ML-DSA-65", mldsa.key)
	wrongCase := "0x" + strings.ToUpper(ethereum[2:30]) + strings.ToLower(ethereum[30:])
	eip := wallet.EIP191()
	for _, test := range []struct {
		name    string
		scheme  wallet.Scheme
		address string
		key     []byte
		want    string // the canonical address; empty for a refusal
		chain   string
		err     error
	}{
		{"Ed25519 hex", ed.scheme, edHex, ed.key, edHex, "", nil},
		{"Ed25519 upper hex", ed.scheme, strings.ToUpper(edHex), ed.key, edHex, "", nil},
		{"Ed25519 0x hex", ed.scheme, "0x" + edHex, ed.key, edHex, "", nil},
		{"Ed25519 base58", ed.scheme, base58.Encode(ed.key), ed.key, base58.Encode(ed.key), "solana", nil},
		{"Ed25519 base58 in another case", ed.scheme, strings.ToLower(base58.Encode(ed.key)), ed.key, "", "", wallet.ErrAddressMismatch},
		{"Ed25519 other key", ed.scheme, strings.Repeat("ab", 32), ed.key, "", "", wallet.ErrAddressMismatch},
		{"Ed25519 prefix of the key", ed.scheme, edHex[:62], ed.key, "", "", wallet.ErrAddressMismatch},
		{"Ed25519 with 0X", ed.scheme, "0X" + edHex, ed.key, "", "", wallet.ErrAddressMismatch},
		{"Ed25519 short key", ed.scheme, edHex[:62], ed.key[:31], "", "", wallet.ErrAddressMismatch},
		{"secp256k1 compressed", curve.scheme, compressed, curve.key, compressed, "", nil},
		{"secp256k1 uncompressed", curve.scheme, "0x" + strings.ToUpper(uncompressed), curve.key, compressed, "", nil},
		{"secp256k1 signed with the other form", curve.scheme, compressed, public.SerializeUncompressed(), compressed, "", nil},
		{"secp256k1 hybrid", curve.scheme, "06" + uncompressed[2:], curve.key, "", "", wallet.ErrAddressMismatch},
		{"secp256k1 Ethereum address", curve.scheme, strings.ToLower(ethereum), curve.key, ethereum, "eip155", nil},
		{"secp256k1 wrong checksum", curve.scheme, wrongCase, curve.key, "", "", wallet.ErrBadChecksum},
		{"secp256k1 address without 0x", curve.scheme, ethereum[2:], curve.key, "", "", wallet.ErrAddressMismatch},
		{"secp256k1 no key", curve.scheme, compressed, nil, "", "", wallet.ErrAddressMismatch},
		{"eip191 checksum", eip, ethereum, curve.key, ethereum, "eip155", nil},
		{"eip191 lower", eip, strings.ToLower(ethereum), curve.key, ethereum, "eip155", nil},
		{"eip191 upper", eip, "0x" + strings.ToUpper(ethereum[2:]), curve.key, ethereum, "eip155", nil},
		{"eip191 wrong checksum", eip, wrongCase, curve.key, "", "", wallet.ErrBadChecksum},
		{"eip191 other address", eip, "0x" + strings.Repeat("11", 20), curve.key, "", "", wallet.ErrInvalidSignature},
		{"eip191 hex key", eip, compressed, curve.key, "", "", wallet.ErrInvalidSignature},
		{"eip191 no key", eip, ethereum, nil, "", "", wallet.ErrAddressMismatch},
		{"ML-DSA hex", mldsa.scheme, mldsaHex, mldsa.key, thumbprint, "", nil},
		{"ML-DSA 0x upper hex", mldsa.scheme, "0x" + strings.ToUpper(mldsaHex), mldsa.key, thumbprint, "", nil},
		{"ML-DSA thumbprint", mldsa.scheme, thumbprint, mldsa.key, thumbprint, "", nil},
		{"ML-DSA thumbprint in another case", mldsa.scheme, strings.ToUpper(thumbprint), mldsa.key, "", "", wallet.ErrAddressMismatch},
		{"ML-DSA key of another size", wallet.MLDSA87(), thumbprint, mldsa.key, "", "", wallet.ErrAddressMismatch},
		{"empty", mldsa.scheme, "", mldsa.key, "", "", wallet.ErrAddressMismatch},
	} {
		t.Run(test.name, func(t *testing.T) {
			id, err := test.scheme.Identify(test.address, test.key)
			if !errors.Is(err, test.err) || id.Address != test.want || id.Chain != test.chain {
				t.Errorf("got %+v, %v", id, err)
			}
			if err == nil && len(id.WalletID) != 43 {
				t.Errorf("wallet id %q", id.WalletID)
			}
		})
	}
}

func TestCode(t *testing.T) {
	for want, err := range map[string]error{
		"invalid_signature": fmt.Errorf("outer: %w", wallet.ErrInvalidSignature),
		"high_s":            fmt.Errorf("outer: %w", wallet.ErrHighS),
		"wrong_length":      wallet.ErrWrongLength,
		"malformed_message": &wallet.SyntaxError{Line: 3, Reason: "x"},
		"":                  errors.New("other"),
	} {
		if got := wallet.Code(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	if wallet.Code(nil) != "" {
		t.Error("code of nil")
	}
	for _, err := range []error{wallet.ErrHighS, wallet.ErrLowOrderKey, wallet.ErrWrongLength} {
		if !errors.Is(err, wallet.ErrInvalidSignature) {
			t.Errorf("%v is no ErrInvalidSignature", err)
		}
	}
}
