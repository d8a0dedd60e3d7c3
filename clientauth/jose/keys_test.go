package jose_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// pair is a private key with its public form and the algorithm it signs with.
type pair struct {
	private any
	public  jose.Key
}

var makePairs = sync.OnceValue(func() map[string]pair {
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	pairs := map[string]pair{}
	for _, alg := range jose.Algorithms() {
		switch jose.KeyType(alg) {
		case jose.KeyTypeRSA:
			pairs[alg] = pair{rsaKey, jose.Key{Public: &rsaKey.PublicKey}}
		case jose.KeyTypeEC:
			curve := elliptic.P256()
			if alg == jose.ES384 {
				curve = elliptic.P384()
			}
			key := must(ecdsa.GenerateKey(curve, rand.Reader))
			pairs[alg] = pair{key, jose.Key{Public: &key.PublicKey}}
		case jose.KeyTypeOKP:
			public, private, _ := ed25519.GenerateKey(rand.Reader)
			pairs[alg] = pair{private, jose.Key{Public: public}}
		case jose.KeyTypeAKP:
			key := must(jose.GenerateMLDSAKey(alg))
			pairs[alg] = pair{key, jose.Key{Public: key.Public()}}
		}
	}
	for alg, p := range pairs {
		p.public.ID, p.public.Algorithm = must(jose.Thumbprint(p.public.Public)), alg
		pairs[alg] = p
	}
	return pairs
})

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func sign(t testing.TB, alg, input string) (jose.Key, []byte) {
	t.Helper()
	p := makePairs()[alg]
	method, ok := jose.SigningMethod(alg)
	if !ok {
		t.Fatalf("no method for %s", alg)
	}
	signature, err := method.Sign(input, p.private)
	if err != nil {
		t.Fatal(err)
	}
	return p.public, signature
}

func TestEveryAlgorithmVerifiesWhatItSigned(t *testing.T) {
	for _, alg := range jose.Algorithms() {
		t.Run(alg, func(t *testing.T) {
			key, signature := sign(t, alg, "header.payload")
			if err := key.Verify(alg, "header.payload", signature); err != nil {
				t.Fatal(err)
			}
			if err := key.Verify(alg, "header.payloae", signature); !errors.Is(err, jose.ErrInvalidSignature) {
				t.Errorf("other text: %v", err)
			}
			for _, broken := range [][]byte{nil, {}, signature[1:], signature[:len(signature)-1], append(signature[:len(signature):len(signature)], 0), make([]byte, len(signature))} {
				if err := key.Verify(alg, "header.payload", broken); !errors.Is(err, jose.ErrInvalidSignature) {
					t.Errorf("signature of %d bytes: %v", len(broken), err)
				}
			}
			method, _ := jose.SigningMethod(alg)
			if method.Alg() != alg {
				t.Errorf("Alg() = %q", method.Alg())
			}
		})
	}
}

func TestAnAlgorithmIsBoundToItsKey(t *testing.T) {
	family := func(alg string) string {
		if strings.HasPrefix(alg, "Ed") {
			return "Ed"
		}
		return alg
	}
	for keyAlg, p := range makePairs() {
		for _, alg := range append(jose.Algorithms(), "none", "None", "HS256", "ES256K", "") {
			want := family(alg) == family(keyAlg)
			if got := p.public.Fits(alg); got != want {
				t.Errorf("%s key fits %s: %v", keyAlg, alg, got)
			}
			if want {
				continue
			}
			if err := p.public.Verify(alg, "a.b", make([]byte, 64)); !errors.Is(err, jose.ErrKeyMismatch) && !errors.Is(err, jose.ErrUnsupportedAlgorithm) {
				t.Errorf("%s key, %s: %v", keyAlg, alg, err)
			}
		}
	}
	undeclared := jose.Key{Public: makePairs()[jose.RS256].public.Public}
	if !undeclared.Fits(jose.RS512) || !undeclared.Fits(jose.PS256) || undeclared.Fits(jose.ES256) {
		t.Error("a key without alg fits all algorithms of its type and no other")
	}
}

func TestECSignaturesOutOfRangeAreRefused(t *testing.T) {
	key, good := sign(t, jose.ES256, "a.b")
	order := elliptic.P256().Params().N.FillBytes(make([]byte, 32))
	zero := make([]byte, 32)
	for name, signature := range map[string][]byte{
		"r zero":  append(append([]byte{}, zero...), good[32:]...),
		"s zero":  append(append([]byte{}, good[:32]...), zero...),
		"r order": append(append([]byte{}, order...), good[32:]...),
		"s order": append(append([]byte{}, good[:32]...), order...),
		"DER":     must(ecdsa.SignASN1(rand.Reader, makePairs()[jose.ES256].private.(*ecdsa.PrivateKey), make([]byte, 32))),
	} {
		if err := key.Verify(jose.ES256, "a.b", signature); !errors.Is(err, jose.ErrInvalidSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPS256TakesOneSaltLengthOnly(t *testing.T) {
	p := makePairs()[jose.PS256]
	private := p.private.(*rsa.PrivateKey)
	digest := sha256Of("a.b")
	for salt, valid := range map[int]bool{32: true, 20: false, rsa.PSSSaltLengthAuto: false} {
		signature := must(rsa.SignPSS(rand.Reader, private, sha256ID, digest, &rsa.PSSOptions{SaltLength: salt}))
		if err := p.public.Verify(jose.PS256, "a.b", signature); (err == nil) != valid {
			t.Errorf("salt %d: %v", salt, err)
		}
	}
}

func TestJWKRoundTrip(t *testing.T) {
	for alg, p := range makePairs() {
		data, err := json.Marshal(p.public)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), `"use":"sig"`) || strings.Contains(string(data), `"d":`) || strings.Contains(string(data), "priv") {
			t.Errorf("%s: %s", alg, data)
		}
		var read jose.Key
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if !read.Equal(p.public) {
			t.Errorf("%s: came back different", alg)
		}
	}
}

// The RSA key and thumbprint of RFC 7638 section 3.1, and the Ed25519 ones of RFC 8037 appendix A.3.
func TestThumbprintVectors(t *testing.T) {
	vectors := map[string]string{
		`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
	}
	for text, want := range vectors {
		var key jose.Key
		if err := json.Unmarshal([]byte(text), &key); err != nil {
			t.Fatal(err)
		}
		if got := must(jose.Thumbprint(key.Public)); got != want {
			t.Errorf("thumbprint %s, want %s", got, want)
		}
	}
	if _, err := jose.Thumbprint("text"); !errors.Is(err, jose.ErrUnsupportedKey) {
		t.Errorf("a text has no thumbprint: %v", err)
	}
}

func TestMLDSAKeysComeFromTheirSeed(t *testing.T) {
	for _, alg := range []string{jose.MLDSA44, jose.MLDSA65, jose.MLDSA87} {
		key := must(jose.GenerateMLDSAKey(alg))
		again := must(jose.NewMLDSAPrivateKey(alg, key.Seed()))
		if !again.Equal(key) || !again.Public().(*jose.MLDSAPublicKey).Equal(key.Public()) {
			t.Errorf("%s: the seed makes another key", alg)
		}
		signature := must(key.Sign(nil, []byte("text"), nil))
		public := must(jose.NewMLDSAPublicKey(alg, key.Public().(*jose.MLDSAPublicKey).Bytes()))
		if !public.Verify([]byte("text"), signature) || public.Verify([]byte("texu"), signature) || public.Verify([]byte("text"), signature[1:]) {
			t.Errorf("%s: verification is wrong", alg)
		}
		if _, err := key.Sign(nil, make([]byte, 32), sha256ID); err == nil {
			t.Errorf("%s: it signed a digest", alg)
		}
		if _, err := jose.NewMLDSAPublicKey(alg, make([]byte, 31)); !errors.Is(err, jose.ErrInvalidKey) {
			t.Errorf("%s: short key: %v", alg, err)
		}
		if _, err := jose.NewMLDSAPrivateKey(alg, make([]byte, 31)); !errors.Is(err, jose.ErrInvalidKey) {
			t.Errorf("%s: short seed: %v", alg, err)
		}
	}
	if _, err := jose.NewMLDSAPrivateKey("ML-DSA-66", make([]byte, 32)); !errors.Is(err, jose.ErrUnsupportedAlgorithm) {
		t.Errorf("unknown set: %v", err)
	}
}

// A SPIFFE bundle holds keys of two uses, and those for X.509 are none of ours.
func TestKeysOfASPIFFEBundle(t *testing.T) {
	ed := jose.EncodeBase64(bytes.Repeat([]byte{1}, ed25519.PublicKeySize))
	keys, skipped, err := jose.ParseSet([]byte(`{"keys":[{"use":"x509-svid","kty":"OKP","crv":"Ed25519","x":"` + ed + `","x5c":["AA=="]},` +
		`{"use":"jwt-svid","kid":"a","kty":"OKP","crv":"Ed25519","x":"` + ed + `"}],"spiffe_sequence":1,"spiffe_refresh_hint":300}`))
	if err != nil || len(keys) != 1 || keys[0].ID != "a" || len(skipped) != 1 {
		t.Errorf("%v, %v, %v", keys, skipped, err)
	}
}

func TestUnusableKeysAreRefused(t *testing.T) {
	weak := jose.EncodeBase64(new(big.Int).SetBit(big.NewInt(1), jose.MinRSABits-2, 1).Bytes())
	huge := jose.EncodeBase64(new(big.Int).SetBit(big.NewInt(1), jose.MaxRSABits, 1).Bytes())
	fine := jose.EncodeBase64(new(big.Int).SetBit(big.NewInt(1), jose.MinRSABits-1, 1).Bytes())
	ed := jose.EncodeBase64(make([]byte, 32))
	for name, text := range map[string]string{
		"weak RSA":        `{"kty":"RSA","n":"` + weak + `","e":"AQAB"}`,
		"huge RSA":        `{"kty":"RSA","n":"` + huge + `","e":"AQAB"}`,
		"exponent one":    `{"kty":"RSA","n":"` + fine + `","e":"AQ"}`,
		"exponent even":   `{"kty":"RSA","n":"` + fine + `","e":"Ag"}`,
		"exponent huge":   `{"kty":"RSA","n":"` + fine + `","e":"` + fine + `"}`,
		"no exponent":     `{"kty":"RSA","n":"` + fine + `"}`,
		"padded":          `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `="}`,
		"short Ed25519":   `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`,
		"off the curve":   `{"kty":"EC","crv":"P-256","x":"` + ed + `","y":"` + ed + `"}`,
		"short EC":        `{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`,
		"encryption":      `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `","use":"enc"}`,
		"key_ops":         `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `","key_ops":["sign"]}`,
		"private":         `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `","d":"` + ed + `"}`,
		"private AKP":     `{"kty":"AKP","alg":"ML-DSA-65","pub":"` + ed + `","priv":"` + ed + `"}`,
		"short AKP":       `{"kty":"AKP","alg":"ML-DSA-65","pub":"` + ed + `"}`,
		"no kty":          `{"crv":"Ed25519","x":"` + ed + `"}`,
		"wrong type":      `{"kty":7}`,
		"not an object":   `[]`,
		"null":            `null`,
		"oct":             `{"kty":"oct","k":"` + ed + `"}`,
		"declared other":  `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `","alg":"RS256"}`,
		"declared HS256":  `{"kty":"OKP","crv":"Ed25519","x":"` + ed + `","alg":"HS256"}`,
		"unknown curve":   `{"kty":"EC","crv":"secp256k1","x":"` + ed + `","y":"` + ed + `"}`,
		"unknown OKP":     `{"kty":"OKP","crv":"X25519","x":"` + ed + `"}`,
		"unknown AKP":     `{"kty":"AKP","alg":"SLH-DSA","pub":"` + ed + `"}`,
		"unknown of type": `{"kty":"XYZ"}`,
	} {
		var key jose.Key
		if err := json.Unmarshal([]byte(text), &key); !errors.Is(err, jose.ErrInvalidKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
