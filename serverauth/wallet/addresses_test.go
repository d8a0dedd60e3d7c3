package wallet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// The examples of EIP-55.
var eip55 = []string{
	"0x52908400098527886E0F7030069857D2E4169EE7",
	"0x8617E340B3D01FA5F11F306F4090FD50E238070D",
	"0xde709f2102306220921060314715629080e2fb77",
	"0x27b1fdb04752bbc536007a920d24acb045561c26",
	"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
	"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
	"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
	"0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
}

func TestEIP55(t *testing.T) {
	for _, want := range eip55 {
		for _, text := range []string{want, strings.ToLower(want), "0x" + strings.ToUpper(want[2:])} {
			address, err := wallet.ParseEthereumAddress(text)
			if err != nil || address.String() != want {
				t.Errorf("%s: %s, %v", text, address, err)
			}
		}
	}
	for _, want := range eip55[4:] {
		for i := 2; i < len(want); i++ {
			twin := []byte(want)
			if twin[i] < 'A' {
				continue
			}
			twin[i] ^= 'a' - 'A'
			if _, err := wallet.ParseEthereumAddress(string(twin)); !errors.Is(err, wallet.ErrBadChecksum) {
				t.Errorf("%s: %v", twin, err)
			}
		}
	}
}

func TestParseEthereumAddressRefuses(t *testing.T) {
	for _, text := range []string{
		"", "0x", "0X52908400098527886E0F7030069857D2E4169EE7", "52908400098527886E0F7030069857D2E4169EE7",
		"0x52908400098527886E0F7030069857D2E4169EE", "0x52908400098527886E0F7030069857D2E4169EE71",
		"0x52908400098527886E0F7030069857D2E4169EEg", " 0x52908400098527886E0F7030069857D2E4169EE",
		"0x0x908400098527886E0F7030069857D2E4169EE7", "０x2908400098527886E0F7030069857D2E4169EE7",
	} {
		if _, err := wallet.ParseEthereumAddress(text); err == nil {
			t.Errorf("%q accepted", text)
		}
	}
}

func TestKindAndChallengeAddress(t *testing.T) {
	const solana = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
	for _, test := range []struct {
		name, address string
		kind          wallet.AddressKind
		challenge     string
	}{
		{"Ethereum", eip55[4], wallet.Ethereum, strings.ToLower(eip55[4])},
		{"Ethereum, wrong checksum", "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", wallet.Ethereum, strings.ToLower(eip55[4])},
		{"40 hex digits", "ABcd" + strings.Repeat("0", 36), wallet.Raw, "abcd" + strings.Repeat("0", 36)},
		{"hex", "ABCDef01", wallet.Raw, "abcdef01"},
		{"hex with 0x", "0xABCDef01", wallet.Raw, "abcdef01"},
		{"hex with 0X", "0XABCDef01", wallet.Raw, "0XABCDef01"},
		{"odd hex", "ABC", wallet.Raw, "ABC"},
		{"only 0x", "0x", wallet.Raw, "0x"},
		{"Solana", solana, wallet.Solana, solana},
		{"Solana's system program", strings.Repeat("1", 32), wallet.Solana, strings.Repeat("1", 32)},
		{"base58 of 33 bytes", "1" + solana, wallet.Raw, "1" + solana},
		{"base58 of fewer bytes", solana[:40], wallet.Raw, solana[:40]},
		{"not base58", "0" + solana[1:], wallet.Raw, "0" + solana[1:]},
		{"thumbprint", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", wallet.Raw, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		{"empty", "", wallet.Raw, ""},
		{"not ASCII", strings.Repeat("é", 20), wallet.Raw, strings.Repeat("é", 20)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := wallet.KindOf(test.address); got != test.kind {
				t.Errorf("kind %d", got)
			}
			got := wallet.ChallengeAddress(test.address)
			if got != test.challenge || wallet.ChallengeAddress(got) != got {
				t.Errorf("challenge address %q", got)
			}
		})
	}
}

func TestParseChainID(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"eip155:1", "eip155:1"},
		{"eip155:8453", "eip155:8453"},
		{"solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"},
		{"solana:mainnet", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"},
		{"solana:devnet", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"},
		{"solana:testnet", "solana:4uhcVJyU9pJkvQyS88uRDiswHXSGkY2z"},
		{"solana:localnet", "solana:localnet"},
		{"cosmos:cosmoshub-3", "cosmos:cosmoshub-3"},
		{"bip122:000000000019d6689c085ae165831e93", "bip122:000000000019d6689c085ae165831e93"},
		{"", ""}, {"1", ""}, {"eip155", ""}, {"eip155:", ""}, {":1", ""}, {"eip155:01", ""}, {"eip155:0", ""},
		{"eip155:-1", ""}, {"eip155:0x1", ""}, {"eip155:1:2", ""}, {"EIP155:1", ""}, {"ab:1", ""}, {"ninechars:1", ""},
		{"cosmos:" + strings.Repeat("a", 33), ""}, {"cosmos:a b", ""}, {"cosmos:é", ""}, {" eip155:1", ""}, {"eip155:1\n", ""},
	} {
		chain, err := wallet.ParseChainID(test.text)
		if chain.String() != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q: %q, %v", test.text, chain, err)
		}
		if err != nil && !errors.Is(err, wallet.ErrInvalidChainID) {
			t.Errorf("%q: %v", test.text, err)
		}
	}
}

func TestParseAccountID(t *testing.T) {
	for _, test := range []struct {
		text string
		ok   bool
	}{
		{"eip155:1:0xab16a96D359eC26a11e2C2b3d8f8B8942d5Bfcdb", true},
		{"solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM", true},
		{"hedera:mainnet:0.0.1234567890-zbhlt", true},
		{"eip155:1:", false}, {"eip155:1", false}, {"eip155", false}, {"", false}, {"eip155:1:a/b", false},
		{"eip155:1:" + strings.Repeat("a", 129), false},
	} {
		account, err := wallet.ParseAccountID(test.text)
		if !test.ok && !errors.Is(err, wallet.ErrInvalidAccountID) {
			t.Errorf("%q: %v", test.text, err)
		}
		if (err == nil) != test.ok || test.ok && account.String() != test.text {
			t.Errorf("%q: %q, %v", test.text, account, err)
		}
	}
}
