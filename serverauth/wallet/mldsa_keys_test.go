package wallet_test

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"

	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/schemes"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// Keys are remembered; what is valid must not depend on it, with more wallets than are remembered, all at once.
func TestMLDSARememberedKeys(t *testing.T) {
	const wallets, rounds = 150, 3
	for name, scheme := range mldsaSchemes() {
		t.Run(name, func(t *testing.T) {
			circl := schemes.ByName(name)
			var all sync.WaitGroup
			keys, signatures := make([][]byte, wallets), make([][]byte, wallets)
			for i := range wallets {
				keys[i], signatures[i] = mldsaSignature(circl, i)
			}
			for range 4 {
				all.Go(func() {
					for i := range wallets * rounds {
						checkRemembered(t, scheme, keys, signatures, i%wallets)
					}
				})
			}
			all.Wait()
		})
	}
}

func mldsaSignature(scheme sign.Scheme, seed int) (key, signature []byte) {
	public, private := scheme.DeriveKey(binary.LittleEndian.AppendUint64(make([]byte, 24), uint64(seed)))
	key, _ = public.MarshalBinary()
	return key, scheme.Sign(private, []byte("message"), nil)
}

func checkRemembered(t *testing.T, scheme wallet.Scheme, keys, signatures [][]byte, i int) {
	message := []byte("message")
	if _, err := scheme.Verify(background, noChain, keys[i], message, signatures[(i+1)%len(keys)]); !errors.Is(err, wallet.ErrInvalidSignature) {
		t.Errorf("%d with another wallet's signature: %v", i, err)
	}
	if _, err := scheme.Verify(background, noChain, keys[i], message, signatures[i]); err != nil {
		t.Errorf("%d: %v", i, err)
	}
	if _, err := scheme.Verify(background, noChain, keys[i], []byte("another message"), signatures[i]); !errors.Is(err, wallet.ErrInvalidSignature) {
		t.Errorf("%d over another message: %v", i, err)
	}
}

// A request's own bytes may be used again by whoever made it.
func TestMLDSARemembersACopyOfTheKey(t *testing.T) {
	for name, scheme := range mldsaSchemes() {
		key, signature := mldsaSignature(schemes.ByName(name), 1)
		other, otherSignature := mldsaSignature(schemes.ByName(name), 2)
		buffer := append([]byte(nil), key...)
		if _, err := scheme.Verify(background, noChain, buffer, []byte("message"), signature); err != nil {
			t.Fatal(err)
		}
		copy(buffer, other)
		if _, err := scheme.Verify(background, noChain, buffer, []byte("message"), signature); !errors.Is(err, wallet.ErrInvalidSignature) {
			t.Errorf("%s: the first wallet's signature with the second one's key: %v", name, err)
		}
		if _, err := scheme.Verify(background, noChain, buffer, []byte("message"), otherSignature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
