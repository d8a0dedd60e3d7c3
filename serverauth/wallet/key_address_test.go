package wallet_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

func TestIDOfAddress(t *testing.T) {
	for _, w := range newWallets(t) {
		for _, address := range w.addresses {
			key := w.key
			if key == nil {
				key, _ = w.scheme.Verify(background, noChain, nil, []byte("m"), w.sign([]byte("m")))
			}
			id, err := w.scheme.Identify(address, key)
			if err != nil {
				t.Fatal(err)
			}
			want, holds := id.WalletID, true
			if wallet.KindOf(address) == wallet.Ethereum {
				want, holds = "", false
			}
			if got := wallet.IDOfAddress(address); got != want || wallet.HoldsKey(address) != holds {
				t.Errorf("%s %.20s: %q, want %q", w.scheme.Algorithm(), address, got, want)
			}
		}
	}
	uncompressed := secp256k1.PrivKeyFromBytes([]byte{7}).PubKey().SerializeUncompressed()
	for name, address := range map[string]string{
		"empty": "", "e-mail": "admin@pico.local", "hex of no key": "abcd", "zeros": strings.Repeat("00", 33),
		"hybrid": "06" + hex.EncodeToString(uncompressed[1:]), "thumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
	} {
		if id := wallet.IDOfAddress(address); id != "" {
			t.Errorf("%s: %q", name, id)
		}
	}
}
