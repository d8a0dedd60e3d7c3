package wallet_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// signRS returns r and s, 32 bytes each, with s in the lower half.
func signRS(key *secp256k1.PrivateKey, message []byte) (r, s [32]byte) {
	digest := sha256.Sum256(message)
	signature := ecdsa.Sign(key, digest[:])
	rScalar, sScalar := signature.R(), signature.S()
	return rScalar.Bytes(), sScalar.Bytes()
}

// der encodes two integers, given as their content bytes, without any care.
func der(r, s []byte) []byte {
	body := slices.Concat([]byte{2, byte(len(r))}, r, []byte{2, byte(len(s))}, s)
	return slices.Concat([]byte{0x30, byte(len(body))}, body)
}

// integer is the shortest DER content of a positive number.
func integer(value [32]byte) []byte {
	content := value[:]
	for len(content) > 1 && content[0] == 0 {
		content = content[1:]
	}
	if content[0]&0x80 != 0 {
		content = append([]byte{0}, content...)
	}
	return content
}

func highS(s [32]byte) [32]byte {
	var scalar secp256k1.ModNScalar
	scalar.SetBytes(&s)
	return scalar.Negate().Bytes()
}

func TestSecp256k1Signatures(t *testing.T) {
	key := secp256k1.PrivKeyFromBytes([]byte{7})
	public := key.PubKey().SerializeCompressed()
	message := []byte("message")
	r, s := signRS(key, message)
	high := highS(s)
	order := unhex(t, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	good := der(integer(r), integer(s))
	padded := func(value [32]byte) []byte { return append([]byte{0}, integer(value)...) }
	for _, test := range []struct {
		name      string
		signature []byte
		want      error // nil: valid
	}{
		{"DER", good, nil},
		{"r‖s", slices.Concat(r[:], s[:]), nil},
		{"DER with high s", der(integer(r), integer(high)), wallet.ErrHighS},
		{"r‖s with high s", slices.Concat(r[:], high[:]), wallet.ErrHighS},
		{"empty", nil, wallet.ErrWrongLength},
		{"recoverable, 65 bytes", slices.Concat(r[:], s[:], []byte{27}), wallet.ErrInvalidSignature},
		{"r‖s, 63 bytes", slices.Concat(r[:], s[:31]), wallet.ErrInvalidSignature},
		{"r‖s with zero r", slices.Concat(make([]byte, 32), s[:]), wallet.ErrInvalidSignature},
		{"r‖s with zero s", slices.Concat(r[:], make([]byte, 32)), wallet.ErrInvalidSignature},
		{"r‖s with r = n", slices.Concat(order, s[:]), wallet.ErrInvalidSignature},
		{"r‖s with s = n", slices.Concat(r[:], order), wallet.ErrInvalidSignature},
		{"DER with trailing byte", append(slices.Clone(good), 0), wallet.ErrInvalidSignature},
		{"DER truncated", good[:len(good)-1], wallet.ErrInvalidSignature},
		{"DER with trailing byte inside", trailing(good), wallet.ErrInvalidSignature},
		{"DER with padded r", der(padded(r), integer(s)), wallet.ErrInvalidSignature},
		{"DER with padded s", der(integer(r), padded(s)), wallet.ErrInvalidSignature},
		{"DER with negative r", der([]byte{0x80}, integer(s)), wallet.ErrInvalidSignature},
		{"DER with negative s", der(integer(r), []byte{0x80}), wallet.ErrInvalidSignature},
		{"DER with zero r", der([]byte{0}, integer(s)), wallet.ErrInvalidSignature},
		{"DER with empty r", der(nil, integer(s)), wallet.ErrInvalidSignature},
		{"DER with long-form length", slices.Concat([]byte{0x30, 0x81, good[1]}, good[2:]), wallet.ErrInvalidSignature},
		{"DER with indefinite length", slices.Concat([]byte{0x30, 0x80}, good[2:], []byte{0, 0}), wallet.ErrInvalidSignature},
		{"DER with another tag", slices.Concat([]byte{0x31}, good[1:]), wallet.ErrInvalidSignature},
		{"DER with the hash type of Bitcoin", append(slices.Clone(good), 1), wallet.ErrInvalidSignature},
		{"DER of 64 bytes is r‖s", der(make([]byte, 29), make([]byte, 29)), wallet.ErrInvalidSignature},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := wallet.Secp256k1().Verify(background, noChain, public, message, test.signature)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err != nil && !errors.Is(err, wallet.ErrInvalidSignature) {
				t.Errorf("not an ErrInvalidSignature: %v", err)
			}
		})
	}
}

// trailing puts one more byte into the sequence.
func trailing(signature []byte) []byte {
	longer := append(slices.Clone(signature), 0)
	longer[1]++
	return longer
}

func TestSecp256k1Keys(t *testing.T) {
	key := secp256k1.PrivKeyFromBytes([]byte{7})
	message := []byte("message")
	digest := sha256.Sum256(message)
	signature := ecdsa.Sign(key, digest[:]).Serialize()
	compressed, uncompressed := key.PubKey().SerializeCompressed(), key.PubKey().SerializeUncompressed()
	with := func(prefix byte, rest []byte) []byte { return append([]byte{prefix}, rest...) }
	hybrid := 6 + uncompressed[64]&1
	for _, test := range []struct {
		name string
		key  []byte
		want error
	}{
		{"compressed", compressed, nil},
		{"uncompressed", uncompressed, nil},
		{"of the other parity", with(compressed[0]^1, compressed[1:]), wallet.ErrInvalidSignature},
		{"hybrid", with(hybrid, uncompressed[1:]), wallet.ErrInvalidSignature},
		{"hybrid with wrong parity", with(hybrid^1, uncompressed[1:]), wallet.ErrInvalidSignature},
		{"infinity", []byte{0}, wallet.ErrWrongLength},
		{"zeros, 33 bytes", make([]byte, 33), wallet.ErrInvalidSignature},
		{"zeros, 65 bytes", make([]byte, 65), wallet.ErrInvalidSignature},
		{"04 and zeros", with(4, make([]byte, 64)), wallet.ErrInvalidSignature},
		{"not on the curve", with(4, append(slices.Clone(uncompressed[1:64]), uncompressed[64]^1)), wallet.ErrInvalidSignature},
		{"x not on the curve", with(2, slices.Concat(make([]byte, 31), []byte{5})), wallet.ErrInvalidSignature},
		{"x above the field", with(2, slices.Repeat([]byte{0xff}, 32)), wallet.ErrInvalidSignature},
		{"x only", compressed[1:], wallet.ErrWrongLength},
		{"without its 04", uncompressed[1:], wallet.ErrWrongLength},
		{"empty", nil, wallet.ErrWrongLength},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := wallet.Secp256k1().Verify(background, noChain, test.key, message, signature)
			if !errors.Is(err, test.want) || err != nil && !errors.Is(err, wallet.ErrInvalidSignature) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}
