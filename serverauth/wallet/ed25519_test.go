package wallet_test

import (
	"crypto/ed25519"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// RFC 8032, 7.1.
func TestEd25519Vectors(t *testing.T) {
	for _, test := range []struct{ name, key, message, signature string }{
		{"empty message", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"one byte", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"two bytes", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			key, signature := unhex(t, test.key), unhex(t, test.signature)
			if _, err := wallet.Ed25519().Verify(background, noChain, key, unhex(t, test.message), signature); err != nil {
				t.Error(err)
			}
		})
	}
}

// lowOrderKeys are all encodings, canonical or not, of the eight points of low
// order: y with either sign, and y+p where that fits.
func lowOrderKeys(t *testing.T) (canonical, other [][]byte) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	order8, _ := new(big.Int).SetString("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7", 16)
	for _, y := range []*big.Int{
		big.NewInt(0), big.NewInt(1), new(big.Int).Sub(p, big.NewInt(1)), order8, new(big.Int).Sub(p, order8),
	} {
		for _, sign := range []byte{0, 0x80} {
			canonical = append(canonical, littleEndian(t, y, sign))
			if shifted := new(big.Int).Add(y, p); shifted.BitLen() <= 255 {
				other = append(other, littleEndian(t, shifted, sign))
			}
		}
	}
	return canonical, other
}

func littleEndian(t *testing.T, y *big.Int, sign byte) []byte {
	t.Helper()
	key := y.FillBytes(make([]byte, 32))
	slices.Reverse(key)
	key[31] |= sign
	return key
}

func TestEd25519RefusesLowOrderKeys(t *testing.T) {
	canonical, other := lowOrderKeys(t)
	forged := append([]byte{1}, make([]byte, 63)...) // R neutral, S 0
	for _, key := range append(canonical, other...) {
		forgeable := false
		for i := range 256 {
			message := []byte{byte(i)}
			forgeable = forgeable || ed25519.Verify(key, message, forged)
			if _, err := wallet.Ed25519().Verify(background, noChain, key, message, forged); !errors.Is(err, wallet.ErrInvalidSignature) {
				t.Fatalf("%x: %v", key, err)
			}
		}
		if !forgeable {
			t.Errorf("%x has no low order: the test proves nothing", key)
		}
	}
	for _, key := range canonical {
		if _, err := wallet.Ed25519().Verify(background, noChain, key, nil, forged); !errors.Is(err, wallet.ErrLowOrderKey) {
			t.Errorf("%x: %v", key, err)
		}
	}
	if _, err := wallet.Ed25519().Verify(background, noChain, make([]byte, 32), nil, forged); wallet.Code(err) != "low_order_key" {
		t.Errorf("system program address: %v", err)
	}
}

func TestEd25519RefusesSecondForms(t *testing.T) {
	w := newWallets(t)[0]
	message := []byte("message")
	signature := w.sign(message)

	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(signature[32:])
	slices.Reverse(s)
	grown := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(grown)
	if _, err := w.scheme.Verify(background, noChain, w.key, message, slices.Concat(signature[:32], grown)); !errors.Is(err, wallet.ErrInvalidSignature) {
		t.Errorf("S plus the order: %v", err)
	}
	allOnes := slices.Repeat([]byte{0xff}, 32)
	if _, err := w.scheme.Verify(background, noChain, allOnes, message, signature); !errors.Is(err, wallet.ErrInvalidSignature) || errors.Is(err, wallet.ErrLowOrderKey) {
		t.Errorf("key that is not reduced: %v", err)
	}
}
