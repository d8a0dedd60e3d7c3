package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/wallet"
	"github.com/picoauth/picoauth/testutil"
)

func newBitcoinWallet(t *testing.T) *testutil.Wallet {
	private, err := secp256k1.GeneratePrivateKey()
	require.NoError(t, err)
	raw := private.PubKey().SerializeCompressed()
	return &testutil.Wallet{Algorithm: "bitcoin", Address: Address(raw), PublicKey: raw, Sign: func(message []byte) ([]byte, error) {
		text := append(appendCompactSize([]byte(messagePrefix), len(message)), message...)
		first := sha256.Sum256(text)
		digest := sha256.Sum256(first[:])
		return ecdsa.SignCompact(private, digest[:], true), nil
	}}
}

func TestABitcoinWalletSignsIn(t *testing.T) {
	running := testutil.NewApp(t, options(), app.ConfigMap(map[string]any{"server_auth": map[string]any{"algorithm": "EdDSA"}}))
	w := newBitcoinWallet(t)
	in, err := testutil.SignIn(context.Background(), running.URL, w)
	require.NoError(t, err)
	assert.Equal(t, w.Address, in.Address)
	assert.Equal(t, "bitcoin", in.Algorithm)

	thief := newBitcoinWallet(t)
	thief.Address = w.Address
	_, err = testutil.SignIn(context.Background(), running.URL, thief)
	var refused *testutil.StatusError
	require.True(t, errors.As(err, &refused), "%v", err)
	assert.Equal(t, 400, refused.Status, "%s", refused.Body)
}

func TestNoFleetSessionIsNamedLikeABitcoinWallet(t *testing.T) {
	const secret = "a secret of the fleet"
	running := testutil.NewApp(t, options(), app.ConfigMap(map[string]any{"server_auth": map[string]any{"algorithm": "EdDSA", "fleet_mint_secret": secret}}))
	for id, want := range map[string]int{newBitcoinWallet(t).Address: 400, "bip122:000000000019d6689c085ae165831e93:" + newBitcoinWallet(t).Address: 400, "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3": 200} {
		request, err := http.NewRequest(http.MethodPost, running.URL+"/api/v1/auth/fleet/sessions", strings.NewReader(`{"session_id":"`+id+`","agent_id":"a"}`))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Fleet-Secret", secret)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, want, response.StatusCode, id)
	}
}

func TestASignatureOfAnotherImplementation(t *testing.T) {
	signature, err := base64.StdEncoding.DecodeString("H9L5yLFjti0QTHhPyFrZCT1V/MMnBtXKmoiKDZ78NDBjERki6ZTQZdSMCtkgoNmp17By9ItJr8o7ChX0XxY91nk=")
	require.NoError(t, err)
	message := []byte("This is an example of a signed message.")
	text := append(appendCompactSize([]byte(messagePrefix), len(message)), message...)
	first := sha256.Sum256(text)
	digest := sha256.Sum256(first[:])
	key, _, err := ecdsa.RecoverCompact(signature, digest[:])
	require.NoError(t, err)
	public := key.SerializeCompressed()
	assert.Equal(t, "1F3sAm6ZtwLAUnj7d38pGFxtP3RVEvtsbV", Address(public))
	_, err = Bitcoin{}.Verify(t.Context(), wallet.ChainID{}, public, message, signature)
	require.NoError(t, err)
	message[0]++
	_, err = Bitcoin{}.Verify(t.Context(), wallet.ChainID{}, public, message, signature)
	assert.ErrorIs(t, err, wallet.ErrInvalidSignature)
}
