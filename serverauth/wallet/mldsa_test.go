package wallet_test

import (
	"errors"
	"testing"

	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

func mldsaSchemes() map[string]wallet.Scheme {
	return map[string]wallet.Scheme{
		"ML-DSA-44": wallet.MLDSA44(), "ML-DSA-65": wallet.MLDSA65(), "ML-DSA-87": wallet.MLDSA87(),
	}
}

// NIST's vectors for ML-DSA.Verify_internal have signatures over the message
// without the context's prefix. As ML-DSA.Verify none of them is valid.
func TestMLDSARefusesTheInternalInterface(t *testing.T) {
	var vectors struct {
		TestGroups []struct {
			ParameterSet string
			Pk           hexBytes
			Tests        []struct {
				TcID               int
				Message, Signature hexBytes
			}
		}
	}
	readVectors(t, "testdata/acvp/ML-DSA-sigVer-internal-prompt.json.gz", &vectors)
	ran := 0
	for _, group := range vectors.TestGroups {
		scheme := mldsaSchemes()[group.ParameterSet]
		for _, test := range group.Tests {
			ran++
			if _, err := scheme.Verify(background, noChain, group.Pk, test.Message, test.Signature); !errors.Is(err, wallet.ErrInvalidSignature) {
				t.Errorf("%s %d: %v", group.ParameterSet, test.TcID, err)
			}
		}
	}
	if ran != 45 {
		t.Errorf("ran %d", ran)
	}
}

func TestMLDSASizesAndContext(t *testing.T) {
	for _, test := range []struct {
		circl          sign.Scheme
		key, signature int
	}{
		{mldsa44.Scheme(), 1312, 2420},
		{mldsa65.Scheme(), 1952, 3309},
		{mldsa87.Scheme(), 2592, 4627},
	} {
		t.Run(test.circl.Name(), func(t *testing.T) {
			scheme := mldsaSchemes()[test.circl.Name()]
			public, private := test.circl.DeriveKey(make([]byte, 32))
			key, _ := public.MarshalBinary()
			message := []byte("message")
			signature := test.circl.Sign(private, message, nil)
			if len(key) != test.key || len(signature) != test.signature {
				t.Fatalf("%d and %d bytes", len(key), len(signature))
			}
			if _, err := scheme.Verify(background, noChain, key, message, signature); err != nil {
				t.Error(err)
			}
			withContext := test.circl.Sign(private, message, &sign.SignatureOpts{Context: "ctx"})
			if _, err := scheme.Verify(background, noChain, key, message, withContext); !errors.Is(err, wallet.ErrInvalidSignature) {
				t.Errorf("with a context: %v", err)
			}
			for name, bad := range map[string][2][]byte{
				"short key":       {key[1:], signature},
				"long key":        {append(key[:len(key):len(key)], 0), signature},
				"short signature": {key, signature[1:]},
				"long signature":  {key, append(signature[:len(signature):len(signature)], 0)},
				"nothing":         {nil, nil},
			} {
				if _, err := scheme.Verify(background, noChain, bad[0], message, bad[1]); !errors.Is(err, wallet.ErrWrongLength) {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
