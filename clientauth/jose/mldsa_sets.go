package jose

import (
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
)

// circl has one package for each parameter set and no common type, so each set is adapted here.

func unpack44(packed []byte) verifyFunc {
	key := new(mldsa44.PublicKey)
	key.Unpack((*[mldsa44.PublicKeySize]byte)(packed))
	return verify44(key)
}

func verify44(key *mldsa44.PublicKey) verifyFunc {
	return func(message, signature []byte) bool { return mldsa44.Verify(key, message, nil, signature) }
}

func derive44(seed *[MLDSASeedSize]byte) ([]byte, verifyFunc, signFunc) {
	public, private := mldsa44.NewKeyFromSeed(seed)
	return public.Bytes(), verify44(public), func(message, signature []byte) error {
		return mldsa44.SignTo(private, message, nil, true, signature)
	}
}

func unpack65(packed []byte) verifyFunc {
	key := new(mldsa65.PublicKey)
	key.Unpack((*[mldsa65.PublicKeySize]byte)(packed))
	return verify65(key)
}

func verify65(key *mldsa65.PublicKey) verifyFunc {
	return func(message, signature []byte) bool { return mldsa65.Verify(key, message, nil, signature) }
}

func derive65(seed *[MLDSASeedSize]byte) ([]byte, verifyFunc, signFunc) {
	public, private := mldsa65.NewKeyFromSeed(seed)
	return public.Bytes(), verify65(public), func(message, signature []byte) error {
		return mldsa65.SignTo(private, message, nil, true, signature)
	}
}

func unpack87(packed []byte) verifyFunc {
	key := new(mldsa87.PublicKey)
	key.Unpack((*[mldsa87.PublicKeySize]byte)(packed))
	return verify87(key)
}

func verify87(key *mldsa87.PublicKey) verifyFunc {
	return func(message, signature []byte) bool { return mldsa87.Verify(key, message, nil, signature) }
}

func derive87(seed *[MLDSASeedSize]byte) ([]byte, verifyFunc, signFunc) {
	public, private := mldsa87.NewKeyFromSeed(seed)
	return public.Bytes(), verify87(public), func(message, signature []byte) error {
		return mldsa87.SignTo(private, message, nil, true, signature)
	}
}
