package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/picoauth/picoauth/clientauth/signin"
)

// readKey returns what a wallet is derived from: 32 random bytes, which the file holds in hex. A file that is absent is
// made, for its owner only. Without a path they are new each time.
func readKey(path string) (seed [signin.SeedSize]byte, err error) {
	rand.Read(seed[:])
	if path == "" {
		return seed, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return parseKey(path)
	}
	if err != nil {
		return seed, err
	}
	_, err = fmt.Fprintln(file, hex.EncodeToString(seed[:]))
	return seed, errors.Join(err, file.Close())
}

func parseKey(path string) (seed [signin.SeedSize]byte, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return seed, err
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != len(seed) {
		return seed, fmt.Errorf("%s does not hold %d bytes in hex", path, len(seed))
	}
	return [signin.SeedSize]byte(raw), nil
}
