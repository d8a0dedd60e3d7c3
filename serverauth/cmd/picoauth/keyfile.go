package main

import (
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/picoauth/picoauth/clientauth/signin"
)

// keyFile is the content of a file with a wallet's key. All algorithms derive their key from a seed of 32 bytes.
type keyFile struct {
	Algorithm string `json:"algorithm"`
	Seed      string `json:"seed"` // hex
}

func walletAlgorithms() []string {
	return []string{signin.MLDSA44, signin.MLDSA65, signin.MLDSA87, signin.Ed25519, signin.Secp256k1, signin.EIP191}
}

// newKeyFile returns a new random key.
func newKeyFile(algorithm string) keyFile {
	seed := make([]byte, signin.SeedSize)
	rand.Read(seed)
	return keyFile{algorithm, hex.EncodeToString(seed)}
}

func readKeyFile(path string) (keyFile, error) {
	var file keyFile
	opened, err := os.Open(path)
	if err != nil {
		return file, fmt.Errorf("%w; make a key with: picoauth wallet new --key FILE", err)
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return file, err
	}
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return file, fmt.Errorf("other users can read the key in %s; make it private: chmod 600 %s", path, path)
	}
	decoder := json.NewDecoder(io.LimitReader(opened, maxLine))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return file, fmt.Errorf("%s is not a key file; make one with: picoauth wallet new --key FILE", path)
	}
	return file, nil
}

func (f keyFile) wallet() (*signin.Wallet, error) {
	signer, err := f.signer()
	if err != nil {
		return nil, err
	}
	return signin.NewWallet(signer, f.Algorithm)
}

func (f keyFile) signer() (crypto.Signer, error) {
	seed, err := hex.DecodeString(f.Seed)
	if err != nil || len(seed) != signin.SeedSize {
		return nil, errors.New("the key file has no seed of 32 bytes as hex")
	}
	return signin.NewSigner(f.Algorithm, [signin.SeedSize]byte(seed))
}
