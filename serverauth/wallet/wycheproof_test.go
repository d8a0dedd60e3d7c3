package wallet_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// wycheproof is what the schemas of its files have in common.
type wycheproof struct {
	NumberOfTests int
	TestGroups    []struct {
		PublicKey json.RawMessage
		Tests     []wycheproofTest
	}
}

type wycheproofTest struct {
	TcID     int
	Comment  string
	Flags    []string
	Msg, Sig hexBytes
	Ctx      hexBytes
	Result   string
}

// wycheproofKey reads the key of a group, which ML-DSA files write as hex, the
// others as an object.
func wycheproofKey(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var key hexBytes
	if json.Unmarshal(raw, &key) == nil {
		return key
	}
	var object struct{ Pk, Uncompressed hexBytes }
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	return append(object.Pk, object.Uncompressed...)
}

func TestWycheproof(t *testing.T) {
	always := func(wycheproofTest) bool { return true }
	lowS := func(test wycheproofTest) bool { return !isHighS(test.Sig) }
	emptyContext := func(test wycheproofTest) bool { return len(test.Ctx) == 0 }
	for _, set := range []struct {
		file   string
		scheme wallet.Scheme
		// accepted says which of the valid vectors a wallet may use.
		accepted func(wycheproofTest) bool
	}{
		{"ed25519_test", wallet.Ed25519(), always},
		{"ecdsa_secp256k1_sha256_bitcoin_test", wallet.Secp256k1(), always},
		{"ecdsa_secp256k1_sha256_test", wallet.Secp256k1(), lowS},
		{"ecdsa_secp256k1_sha256_p1363_test", wallet.Secp256k1(), lowS},
		{"mldsa_44_verify_test", wallet.MLDSA44(), emptyContext},
		{"mldsa_65_verify_test", wallet.MLDSA65(), emptyContext},
		{"mldsa_87_verify_test", wallet.MLDSA87(), emptyContext},
	} {
		t.Run(set.file, func(t *testing.T) {
			var vectors wycheproof
			readVectors(t, "testdata/wycheproof/"+set.file+".json.gz", &vectors)
			ran := 0
			for _, group := range vectors.TestGroups {
				key := wycheproofKey(t, group.PublicKey)
				for _, test := range group.Tests {
					ran++
					want := test.Result == "valid" && set.accepted(test)
					_, err := set.scheme.Verify(background, noChain, key, test.Msg, test.Sig)
					if (err == nil) != want {
						t.Errorf("%d (%s, %v, %s, %d bytes): %v", test.TcID, test.Comment, test.Flags, test.Result, len(test.Sig), err)
					}
					if err != nil && !errors.Is(err, wallet.ErrInvalidSignature) {
						t.Errorf("%d: not an ErrInvalidSignature: %v", test.TcID, err)
					}
				}
			}
			if ran != vectors.NumberOfTests || ran == 0 {
				t.Errorf("ran %d of %d", ran, vectors.NumberOfTests)
			}
		})
	}
}

// isHighS tells, with code of its own, which valid vectors have an s that no
// wallet makes.
func isHighS(signature []byte) bool {
	s := slices.Clone(signature[max(0, len(signature)-32):])
	if parsed, err := ecdsa.ParseDERSignature(signature); err == nil && len(signature) != 64 {
		value := parsed.S()
		raw := value.Bytes()
		s = raw[:]
	}
	var value secp256k1.ModNScalar
	value.SetByteSlice(s)
	return value.IsOverHalfOrder()
}
