package subject_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/mr-tron/base58"
	"github.com/stretchr/testify/assert"

	"github.com/picoauth/picoauth/serverauth/internal/subject"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

func TestSubjectIDs(t *testing.T) {
	const ethereum = "0x88ca19624e3Dc8bC999a5b947488F0A2EA29a535"
	public := make([]byte, ed25519.PublicKeySize)
	public[0] = 7
	key := secp256k1.PrivKeyFromBytes([]byte{7}).PubKey()
	compressed, uncompressed := hex.EncodeToString(key.SerializeCompressed()), hex.EncodeToString(key.SerializeUncompressed())
	raw, solana := hex.EncodeToString(public), base58.Encode(public)
	walletID, secpID := wallet.ReadAddress(raw).WalletID(), wallet.ReadAddress(compressed).WalletID()
	digits := strings.ToLower(ethereum[2:])
	for name, test := range map[string]struct {
		want  []string
		typed []string
	}{
		"administrator": {[]string{"Admin@pico.local"}, []string{"Admin@pico.local", " Admin@pico.local\n"}},
		"administrator in another case": {
			[]string{"Admin@pico.local", "ADMIN@PICO.LOCAL"}, []string{"ADMIN@PICO.LOCAL", "\tADMIN@PICO.LOCAL "},
		},
		"another e-mail": {[]string{"Bob@pico.local"}, []string{"Bob@pico.local"}},
		"Ethereum": {[]string{ethereum}, []string{
			ethereum, strings.ToLower(ethereum), "0X" + strings.ToUpper(digits), " " + ethereum + "\r\n",
			"0x88CA19624e3Dc8bC999a5b947488F0A2EA29a535", // a wrong checksum
		}},
		"an account of Ethereum": {[]string{ethereum, "eip155:8453:" + ethereum}, []string{
			"eip155:8453:" + ethereum, "eip155:8453:0x" + digits, "did:pkh:eip155:8453:" + ethereum, "\u2003did:pkh:eip155:8453:0X" + digits,
		}},
		"Ethereum without its 0x": {[]string{ethereum, digits}, []string{digits, digits + " "}},
		"Ed25519":                 {[]string{raw, walletID}, []string{raw, "0x" + raw, "0X" + strings.ToUpper(raw), strings.ToUpper(raw), " 0x" + raw}},
		"Solana": {[]string{solana, walletID}, []string{
			solana, " " + solana + "\n", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:" + solana, "did:pkh:solana:mainnet:" + solana,
		}},
		"secp256k1": {[]string{compressed, secpID}, []string{
			compressed, uncompressed, "0X" + strings.ToUpper(uncompressed), "0x" + compressed, strings.ToUpper(compressed),
		}},
		"a fleet session":   {[]string{"run 1: nightly"}, []string{"run 1: nightly", " run 1: nightly "}},
		"a thumbprint":      {[]string{"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}, []string{"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}},
		"of another chain":  {[]string{"cosmos:hub:abc"}, []string{"cosmos:hub:abc"}},
		"nearly an account": {[]string{"eip155:1"}, []string{"eip155:1"}},
		"blank":             {nil, []string{"", " \t\n\u2003"}},
	} {
		for _, typed := range test.typed {
			assert.Equal(t, test.want, subject.IDs("Admin@pico.local", typed), "%s: %q", name, typed)
		}
	}
}

// FuzzSubjectIDs: whatever is typed has one canonical form, which is its own, and nothing of it is blank.
func FuzzSubjectIDs(f *testing.F) {
	for _, typed := range []string{
		"", " Admin@Pico.Local\n", "0x88ca19624e3Dc8bC999a5b947488F0A2EA29a535", "88ca19624e3dc8bc999a5b947488f0a2ea29a535",
		"did:pkh:eip155:1:0X88CA19624E3DC8BC999A5B947488F0A2EA29A535", "solana:mainnet:8MvnRC3zqLdNXZa4do9zM3Grz9tMP7jQHyF6oEmuf6WP",
		"0x" + strings.Repeat("00", 33), strings.Repeat("ab", 1952), "eip155:1:eip155:1:0x00", "0x0x", "did:pkh:",
	} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		ids := subject.IDs("admin@pico.local", typed)
		if (len(ids) == 0) != (strings.TrimSpace(typed) == "") {
			t.Fatalf("%q: %q", typed, ids)
		}
		for i, id := range ids {
			if strings.TrimSpace(id) == "" || slices.Contains(ids[:i], id) {
				t.Errorf("%q: %q", typed, ids)
			}
		}
		if len(ids) > 0 && subject.IDs("admin@pico.local", ids[0])[0] != ids[0] {
			t.Errorf("%q: %q is not canonical", typed, ids[0])
		}
	})
}
