package main

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func TestSecret(t *testing.T) {
	c := newConsole(t)
	first, second := strings.TrimSpace(c.must("secret")), decode[map[string]string](t, c.must("secret", "-o", "json"))["secret"]
	assert.NotEqual(t, first, second)
	for _, secret := range []string{first, second} {
		raw, err := hex.DecodeString(secret)
		require.NoError(t, err)
		assert.Len(t, raw, 32)
		_, err = keys.ParseEncryptionKey(secret)
		assert.NoError(t, err, "a key encryption key")
	}
}

func TestAHashSignsItsPasswordInAndNoOther(t *testing.T) {
	c := newConsole(t)
	hash := strings.TrimSuffix(c.mustWith(adminPassword+"\r\nnot read\n", "hash-password"), "\n")
	assert.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=4$"), hash)
	assert.NotEqual(t, hash, strings.TrimSpace(c.mustWith(adminPassword, "hash-password")), "a salt of its own")

	url := newServer(t, map[string]any{"server_auth.admin_password": hash})
	c.mustWith(adminPassword, "login", "--url", url, "--email", adminEmail)
	wrong := c.runWith(adminPassword+"!", "login", "--url", url, "--email", adminEmail)
	assert.Equal(t, exitFailed, wrong.code)
	assert.Contains(t, wrong.err, "the server answered 401")
}

func TestPasswordsThatAreNone(t *testing.T) {
	c := newConsole(t)
	for text, want := range map[string]string{
		"": "there is no password", "\n": "there is no password", "short12\n": "the password has 7 characters and needs at least 8",
		strings.Repeat("x", maxLine+1): "more than 4096 bytes",
	} {
		r := c.runWith(text, "hash-password")
		assert.Equal(t, exitFailed, r.code)
		assert.Contains(t, r.err, want)
		assert.Empty(t, r.out)
	}
}
