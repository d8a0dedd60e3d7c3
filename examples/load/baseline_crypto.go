package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"

	"github.com/cloudflare/circl/sign/schemes"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secp "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"

	"github.com/picoauth/picoauth/testutil"
)

// bareSigner signs with a new key of a token's algorithm.
func bareSigner(algorithm string) (func(text []byte) ([]byte, error), error) {
	switch algorithm {
	case "RS256":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		return func(text []byte) ([]byte, error) {
			digest := sha256.Sum256(text)
			return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		}, err
	case "ES256":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return func(text []byte) ([]byte, error) {
			digest := sha256.Sum256(text)
			return ecdsa.SignASN1(rand.Reader, key, digest[:])
		}, err
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return func(text []byte) ([]byte, error) { return ed25519.Sign(key, text), nil }, err
	}
	scheme := schemes.ByName(algorithm)
	if scheme == nil {
		return nil, fmt.Errorf("the server signs with %q, which the baseline cannot", algorithm)
	}
	_, key, err := scheme.GenerateKey()
	return func(text []byte) ([]byte, error) { return scheme.Sign(key, text, nil), nil }, err
}

// bareVerifier verifies signatures of a wallet's algorithm.
func bareVerifier(wallet string) (func(key, message, signature []byte) bool, error) {
	switch wallet {
	case "Ed25519", testutil.SolanaWallet:
		return func(key, message, signature []byte) bool {
			return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, signature)
		}, nil
	case "secp256k1":
		return func(key, message, signature []byte) bool {
			public, keyErr := secp256k1.ParsePubKey(key)
			parsed, err := secp.ParseDERSignature(signature)
			digest := sha256.Sum256(message)
			return err == nil && keyErr == nil && parsed.Verify(digest[:], public)
		}, nil
	case "eip191":
		return bareRecover, nil
	}
	scheme := schemes.ByName(wallet)
	if scheme == nil {
		return nil, fmt.Errorf("no verification for %q", wallet)
	}
	return func(key, message, signature []byte) bool {
		public, err := scheme.UnmarshalBinaryPublicKey(key)
		return err == nil && scheme.Verify(public, message, signature, nil)
	}, nil
}

// bareRecover recovers the key of an Ethereum signature and hashes its address.
func bareRecover(_, message, signature []byte) bool {
	if len(signature) != 65 {
		return false
	}
	text := fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d%s", len(message), message)
	compact := append([]byte{signature[64]}, signature[:64]...)
	key, _, err := secp.RecoverCompact(compact, keccak256(text))
	return err == nil && len(keccak256(key.SerializeUncompressed()[1:])) > 0
}

func keccak256(text []byte) []byte {
	hash := sha3.NewLegacyKeccak256()
	hash.Write(text)
	return hash.Sum(nil)
}
