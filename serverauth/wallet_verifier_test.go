package serverauth_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// recovering is a scheme of an app's own that takes the key from the signature, as eip191 does.
type recovering struct{ wallet.Scheme }

func (recovering) Algorithm() string { return "recovering" }

func TestVerifyNeedsAKey(t *testing.T) {
	verifier, err := serverauth.NewWalletVerifier(serverauth.DefaultServerAuthSettings(), recovering{wallet.EIP191()})
	require.NoError(t, err)
	w := newWallet(t, "eip191")
	message := []byte("message")
	signature, err := w.Sign(message)
	require.NoError(t, err)
	address, err := wallet.ParseEthereumAddress(w.Address)
	require.NoError(t, err)
	key, err := wallet.EIP191().Verify(t.Context(), wallet.ChainID{}, nil, message, signature)
	require.NoError(t, err)
	other, err := wallet.ParseEthereumAddress(newWallet(t, "eip191").Address)
	require.NoError(t, err)
	for _, algorithm := range []string{"eip191", "recovering"} {
		assert.NoError(t, verifier.Verify(algorithm, address[:], message, signature), "the address")
		assert.NoError(t, verifier.Verify(algorithm, key, message, signature), "the SEC1 key")
		for name, wrong := range map[string][]byte{"nil": nil, "empty": {}, "another's": other[:], "short": address[:19]} {
			assert.ErrorIs(t, verifier.Verify(algorithm, wrong, message, signature), serverauth.ErrInvalidSignature, "%s: %s", algorithm, name)
		}
	}
	assert.ErrorIs(t, verifier.Verify("RSA", nil, message, signature), serverauth.ErrUnsupportedAlgorithm)
}
