package wallet_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

const (
	checksummed = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
	solanaOne   = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
)

func TestParseAddressReadsWhatWalletsAndPeopleWrite(t *testing.T) {
	lower, digits := strings.ToLower(checksummed), checksummed[2:]
	key := strings.Repeat("ab", 32)
	for _, test := range []struct{ name, text, algorithm, want, chain, canonical string }{
		{"checksummed", checksummed, "", checksummed, "", checksummed},
		{"lower case", lower, "eip191", lower, "", checksummed},
		{"CAIP-10", "eip155:137:" + lower, "eip191", lower, "eip155:137", checksummed},
		{"did:pkh", "did:pkh:eip155:1:" + checksummed, "", checksummed, "eip155:1", checksummed},
		{"0X and upper case", "0X" + strings.ToUpper(digits), "eip191", "0x" + strings.ToUpper(digits), "", checksummed},
		{"white space around it", " \t" + checksummed + "\r\n", "", checksummed, "", checksummed},
		{"Solana", solanaOne, "Ed25519", solanaOne, "", solanaOne},
		{"Solana's CAIP-10", "solana:mainnet:" + solanaOne, "", solanaOne, "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", solanaOne},
		{"a raw key with 0X", "0X" + strings.ToUpper(key), "Ed25519", "0x" + strings.ToUpper(key), "", key},
		{"hex without 0x and without algorithm", digits, "", digits, "", digits},
		{"what only its key can tell", "undefined", "", "undefined", "", "undefined"},
		{"an address of an app's own scheme", " bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a ", "bitcoin",
			"bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", "", "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, err := wallet.ParseAddress(test.text, test.algorithm)
			require.NoError(t, err)
			assert.Equal(t, test.want, address.String())
			assert.Equal(t, test.chain, address.Chain().String())
			assert.Equal(t, test.canonical, address.Canonical())
			assert.Equal(t, wallet.KindOf(test.want), address.Kind())
		})
	}
}

func TestParseAddressSaysWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ text, algorithm, reason string }{
		{checksummed[2:], "eip191", "the 0x is missing"},
		{"alice.eth", "eip191", "not a name"},
		{checksummed[:41], "", "and has 39"},
		{checksummed + "0", "", "and has 41"},
		{checksummed[:41] + "g", "", "has another character"},
		{"undefined", "eip191", "must be 0x and 40 hex digits"},
		{solanaOne, "eip191", "must be 0x and 40 hex digits"},
		{"eip155:1:alice.eth", "", "not a name"},
		{"eip155:1", "", "NAMESPACE:CHAIN:ADDRESS"},
		{"did:pkh:" + checksummed, "", "NAMESPACE:CHAIN:ADDRESS"},
		{"eip155:0x1:" + checksummed, "", "NAMESPACE:CHAIN:ADDRESS"},
		{"bip122:000000000019d6689c085ae165831e93:128Lkh3S7CkDTBZ8W7BbpsN3YYizJMp8p6", "", "namespace other than"},
		{"EIP155:1:" + checksummed, "", "NAMESPACE:CHAIN:ADDRESS"},
		{"Solana:mainnet:" + solanaOne, "", "NAMESPACE:CHAIN:ADDRESS"},
		{"DID:pkh:eip155:1:" + checksummed, "", "NAMESPACE:CHAIN:ADDRESS"},
		{"eth:" + checksummed, "", "prefix that is no chain"},
		{"ethereum:" + checksummed, "eip191", "prefix that is no chain"},
		{"0x" + strings.Repeat("é", 40), "", "has another character"},
		{"solana:mainnet:" + strings.ToLower(solanaOne), "", "Solana address"},
		{"solana:mainnet:" + solanaOne, "eip191", "do not sign with this algorithm"},
		{"eip155:1:" + checksummed, "Ed25519", "do not sign with this algorithm"},
	} {
		_, err := wallet.ParseAddress(test.text, test.algorithm)
		require.ErrorIs(t, err, wallet.ErrInvalidAddress, test.text)
		assert.ErrorContains(t, err, test.reason, test.text)
		assert.Equal(t, "invalid_address", wallet.Code(err))
	}
	_, err := wallet.ParseAddress("eip155:1:0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "")
	assert.ErrorIs(t, err, wallet.ErrBadChecksum)
}

func FuzzParseAddress(f *testing.F) {
	f.Add("did:pkh:eip155:1:"+checksummed, "")
	f.Add("solana:mainnet:"+solanaOne, "Ed25519")
	f.Add("0X"+strings.Repeat("0", 39), "eip191")
	f.Fuzz(func(t *testing.T, text, algorithm string) {
		address, err := wallet.ParseAddress(text, algorithm)
		if err != nil {
			return
		}
		again, err := wallet.ParseAddress(address.String(), algorithm)
		if err != nil || again.String() != address.String() || again.Kind() != address.Kind() {
			t.Fatalf("%q is read as %q, and that as %q: %v", text, address, again, err)
		}
	})
}
