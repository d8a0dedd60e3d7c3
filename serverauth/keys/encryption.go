package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
)

const encryptionKeySize = 32

// EncryptionKey encrypts records with AES-256-GCM. Printing it in any way does not show its bytes.
type EncryptionKey struct{ aead cipher.AEAD }

// ParseEncryptionKey reads the setting `key_encryption_key`: 32 bytes, as 64 hex characters or as base64 (standard or URL alphabet,
// with or without padding). White space around it is ignored. `openssl rand -base64 32` makes one. The error is [ErrEncryptionKey],
// which does not contain the text.
func ParseEncryptionKey(text string) (*EncryptionKey, error) {
	key, err := decodeEncryptionKey(strings.TrimSpace(text))
	if err != nil || len(key) != encryptionKeySize {
		return nil, ErrEncryptionKey
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("keys: AES-256: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("keys: AES-256-GCM: %w", err)
	}
	return &EncryptionKey{aead}, nil
}

func decodeEncryptionKey(text string) ([]byte, error) {
	if len(text) == 2*encryptionKeySize {
		return hex.DecodeString(text)
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	return base64.RawStdEncoding.Strict().DecodeString(text)
}

// seal encrypts text. It returns a random nonce of 12 bytes, the ciphertext and a tag of 16 bytes, which also authenticates data.
func (k *EncryptionKey) seal(text, data []byte) []byte { return k.aead.Seal(nil, nil, text, data) }

// open decrypts the result of seal, or returns [ErrWrongKey].
func (k *EncryptionKey) open(sealed, data []byte) ([]byte, error) {
	text, err := k.aead.Open(nil, nil, sealed, data)
	if err != nil {
		return nil, ErrWrongKey
	}
	return text, nil
}

// String hides the key.
func (*EncryptionKey) String() string { return "[hidden]" }

// Format hides the key for every verb.
func (k *EncryptionKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue hides the key.
func (k *EncryptionKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
