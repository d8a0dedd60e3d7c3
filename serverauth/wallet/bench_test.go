package wallet_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// BenchmarkVerify measures each scheme beside the cryptography alone, from the
// same bytes. x_floor is the ratio of the two times: 1.00 is the floor.
func BenchmarkVerify(b *testing.B) {
	message := []byte("2f6b1d8c9e0a4f7353c1d2e4b5a69788a1b2c3d4e5f60718293a4b5c6d7e8f90")
	digest := sha256.Sum256(message)
	for _, w := range newWallets(b) {
		signature := w.sign(message)
		key := w.key
		floor := map[string]func(){
			wallet.Ed25519Algorithm: func() { ed25519.Verify(key, message, signature) },
			wallet.Secp256k1Algorithm: func() {
				public, _ := secp256k1.ParsePubKey(key)
				parsed, _ := ecdsa.ParseDERSignature(signature)
				parsed.Verify(digest[:], public)
			},
			wallet.EIP191Algorithm: func() {
				compact := append([]byte{signature[64]}, signature[:64]...)
				_, _, _ = ecdsa.RecoverCompact(compact, digest[:])
			},
			wallet.MLDSA44Algorithm: verifyWith(mldsa44.Scheme(), key, message, signature),
			wallet.MLDSA65Algorithm: verifyWith(mldsa65.Scheme(), key, message, signature),
			wallet.MLDSA87Algorithm: verifyWith(mldsa87.Scheme(), key, message, signature),
		}[w.scheme.Algorithm()]
		b.Run(w.scheme.Algorithm(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.scheme.Verify(background, noChain, key, message, signature); err != nil {
					b.Fatal(err)
				}
			}
			perOp := b.Elapsed() / time.Duration(b.N)
			start := time.Now()
			for range b.N {
				floor()
			}
			b.ReportMetric(float64(perOp)/float64(time.Since(start)/time.Duration(b.N)), "x_floor")
		})
	}
}

func verifyWith(scheme sign.Scheme, key, message, signature []byte) func() {
	return func() {
		public, err := scheme.UnmarshalBinaryPublicKey(key)
		if err == nil {
			scheme.Verify(public, message, signature, nil)
		}
	}
}

func BenchmarkParseMessage(b *testing.B) {
	text := ethereumMessage().String()
	policy := testPolicy()
	b.ReportAllocs()
	for b.Loop() {
		message, err := wallet.ParseMessage(text)
		if err == nil {
			err = policy.Check(message, testNow)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
