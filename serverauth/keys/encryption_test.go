package keys_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// rawKey has every sextet that differs between the two base64 alphabets.
var rawKey = []byte("\xfb\xff\xbfabcdefghijklmnopqrstuvwxyz\xff\xef\xbe")

func encryptionKey(t testing.TB) *keys.EncryptionKey {
	t.Helper()
	key, err := keys.ParseEncryptionKey(hex.EncodeToString(rawKey))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestParseEncryptionKey(t *testing.T) {
	tests := []struct {
		name, text string
		valid      bool
	}{
		{"hex", hex.EncodeToString(rawKey), true},
		{"upper-case hex", strings.ToUpper(hex.EncodeToString(rawKey)), true},
		{"base64", base64.StdEncoding.EncodeToString(rawKey), true},
		{"base64 without padding", base64.RawStdEncoding.EncodeToString(rawKey), true},
		{"base64url", base64.URLEncoding.EncodeToString(rawKey), true},
		{"base64url without padding", base64.RawURLEncoding.EncodeToString(rawKey), true},
		{"with a line feed, as from a file", base64.StdEncoding.EncodeToString(rawKey) + "\n", true},
		{"empty", "", false},
		{"31 bytes of hex", hex.EncodeToString(rawKey[1:]), false},
		{"31 bytes of base64", base64.StdEncoding.EncodeToString(rawKey[1:]), false},
		{"33 bytes of base64", base64.StdEncoding.EncodeToString(append([]byte{1}, rawKey...)), false},
		{"32 characters", "0123456789abcdefghijklmnopqrstuv", false},
		{"64 characters that are not hex", strings.Repeat("zz", 32), false},
		{"a pass phrase", "correct horse battery staple", false},
	}
	record := secretRecord("refresh")
	sealed, err := keys.EncodeRecord(record, encryptionKey(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key, err := keys.ParseEncryptionKey(test.text)
			if !test.valid {
				if !errors.Is(err, keys.ErrEncryptionKey) || test.text != "" && strings.Contains(err.Error(), test.text) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := keys.DecodeRecord(sealed, key); err != nil {
				t.Fatalf("not the same key: %v", err)
			}
		})
	}
}
