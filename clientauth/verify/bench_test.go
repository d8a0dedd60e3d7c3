package verify_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

func walletClaims() object {
	return claims(object{"algorithm": "eip191", "wallet_address": "0x52908400098527886E0F7030069857D2E4169EE7", "account": "eip155:1:0x52908400098527886E0F7030069857D2E4169EE7",
		"wallet_id": strings.Repeat("t", 43), "jti": strings.Repeat("j", 32), "sid": strings.Repeat("s", 32), "sub": "0x52908400098527886E0F7030069857D2E4169EE7"})
}

// BenchmarkValidate puts a validation beside the signature verification that it contains, in one run: x_floor is the
// ratio of their times.
func BenchmarkValidate(b *testing.B) {
	for _, alg := range []string{jose.RS256, jose.ES256, jose.EdDSA, jose.MLDSA65} {
		s := signers()[alg]
		token := s.Token(walletClaims())
		input := token[:strings.LastIndex(token, ".")]
		signature := must(jose.DecodeBase64(token[len(input)+1:]))
		method, _ := jose.SigningMethod(alg)
		floor := func() error { return method.Verify(input, signature, s.Key.Public) }
		if alg == jose.RS256 {
			digest := sha256.Sum256([]byte(input))
			floor = func() error {
				return rsa.VerifyPKCS1v15(s.Key.Public.(*rsa.PublicKey), crypto.SHA256, digest[:], signature)
			}
		}
		for _, size := range []int{0, 10_000} {
			cfg := trusting(newClock(), s)
			cfg.CacheSize = size
			v := newValidator(b, cfg)
			b.Run(alg+"/cache="+strconv.Itoa(size), func(b *testing.B) {
				b.ReportAllocs()
				var below, ours time.Duration
				for b.Loop() {
					at := time.Now()
					if err := floor(); err != nil {
						b.Fatal(err)
					}
					between := time.Now()
					if _, err := v.Validate(context.Background(), token); err != nil {
						b.Fatal(err)
					}
					below, ours = below+between.Sub(at), ours+time.Since(between)
				}
				b.ReportMetric(float64(ours)/float64(below), "x_floor")
				b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "validate-ns/op")
			})
		}
	}
}
