package keys_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func BenchmarkSign(b *testing.B) {
	for _, algorithm := range keys.Algorithms() {
		b.Run(algorithm, func(b *testing.B) {
			cfg := config(nil)
			cfg.Algorithm = algorithm
			ring := open(b, keys.NewMemoryStore(), cfg)
			expires := time.Now().Add(time.Minute)
			body := claims(expires)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ring.Sign(keys.AccessTokenType, body, expires.Unix()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	ring := open(b, keys.NewMemoryStore(), config(nil))
	kid := signerID(b, ring)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := ring.Key(b.Context(), kid, "EdDSA"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkJWKS(b *testing.B) {
	ring := open(b, keys.NewMemoryStore(), config(nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.JWKS("RSA", "EC", "OKP"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTick is what an idle process does every second.
func BenchmarkTick(b *testing.B) {
	ring := open(b, openFiles(b, filepath.Join(b.TempDir(), "keys"), nil), config(nil))
	b.ReportAllocs()
	for b.Loop() {
		tick(b, ring)
	}
}
