package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
)

// A signature made by hand, over what /challenge says, is what /sign-in takes.
func TestEveryWalletSignsInByHand(t *testing.T) {
	c := newConsole(t)
	url := newServer(t, map[string]any{"server_auth.supported_wallet_algorithms": walletAlgorithms()}) + serverauth.Prefix
	for _, algorithm := range walletAlgorithms() {
		t.Run(algorithm, func(t *testing.T) {
			key := filepath.Join(t.TempDir(), "wallet.json")
			view := decode[walletView](t, c.must("wallet", "new", "--key", key, "--algorithm", algorithm, "-o", "json"))
			assert.Equal(t, view, decode[walletView](t, c.must("wallet", "address", "--key", key, "-o", "json")))
			info, err := os.Stat(key)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

			var challenge struct{ Challenge, Message string }
			require.NoError(t, send(t.Context(), http.DefaultClient, http.MethodPost, url+"/challenge", "",
				map[string]string{"address": view.Address, "algorithm": algorithm}, &challenge))
			text, request := challenge.Challenge, map[string]string{"algorithm": algorithm, "address": view.Address, "challenge": challenge.Challenge, "public_key": view.PublicKey}
			if challenge.Message != "" {
				text, request["message"] = challenge.Message, challenge.Message
			}
			request["signature"] = strings.TrimSpace(c.mustWith(text, "wallet", "sign", "--key", key))
			var answer tokens
			require.NoError(t, send(t.Context(), http.DefaultClient, http.MethodPost, url+"/sign-in", "", request, &answer))
			assert.NotEmpty(t, answer.AccessToken)
		})
	}
}

func TestKeyFilesThatAreNone(t *testing.T) {
	c := newConsole(t)
	good := filepath.Join(t.TempDir(), "wallet.json")
	c.must("wallet", "new", "--key", good)
	r := c.run("wallet", "new", "--key", good)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "exists", "a key is never overwritten")

	open := write(t, "{}")
	require.NoError(t, os.Chmod(open, 0o644))
	seed := strings.Repeat("00", 32)
	for path, want := range map[string]string{
		good + ".none":    "make a key with: picoauth wallet new",
		open:              "chmod 600",
		write(t, "hello"): "is not a key file",
		write(t, `{"algorithm":"Ed25519","seed":"00"}`):                     "no seed of 32 bytes",
		write(t, `{"algorithm":"RSA","seed":"`+seed+`"}`):                   "unknown algorithm",
		write(t, `{"algorithm":"secp256k1","seed":"`+seed+`"}`):             "is not a valid secp256k1 key",
		write(t, `{"algorithm":"Ed25519","seed":"`+seed+`","more":"text"}`): "is not a key file",
	} {
		r := c.runWith("text", "wallet", "sign", "--key", path)
		assert.Equal(t, exitFailed, r.code)
		assert.Contains(t, r.err, want)
		assert.NotContains(t, r.err, seed)
	}
	assert.Contains(t, c.run("wallet", "sign", "--key", good).err, "standard input has 0 bytes")
	assert.Contains(t, c.runWith(strings.Repeat("x", maxSignedText+1), "wallet", "sign", "--key", good).err, "at most")
	text, err := json.Marshal(keyFile{})
	require.NoError(t, err)
	assert.Equal(t, `{"algorithm":"","seed":""}`, string(text))
}
