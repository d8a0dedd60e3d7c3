// Package subject knows the forms in which people type whom a token is about.
package subject

import (
	"slices"
	"strings"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// IDs returns what the tokens of a subject may be known by, however the subject was typed: first its canonical
// form, then its wallet id where the address holds the key, and its account where it was typed as one of Ethereum: that is the
// subject of a contract wallet. An e-mail, and 40 hex digits, which may also name a fleet
// session, stay among them as they were typed. Nothing is returned for white space.
func IDs(adminEmail, typed string) []string {
	typed = strings.TrimSpace(typed)
	if typed == "" {
		return nil
	}
	address := wallet.ReadAddress(WithPrefix(typed))
	sub := address.Canonical()
	if NormalEmail(typed) == NormalEmail(adminEmail) {
		sub = adminEmail
	}
	ids := []string{sub}
	if id := address.WalletID(); id != "" {
		ids = append(ids, id)
	}
	if account := accountOf(address); account != "" {
		ids = append(ids, account)
	}
	if strings.Contains(typed, "@") || strings.EqualFold(sub, "0x"+typed) {
		ids = append(ids, typed)
	}
	slices.Sort(ids[1:])
	return slices.Compact(ids)
}

// Account returns the CAIP-10 account of Ethereum that was typed, also as a did:pkh, in the form that is a contract wallet's
// subject, and nothing for anything else.
func Account(typed string) string { return accountOf(wallet.ReadAddress(typed)) }

func accountOf(address wallet.Address) string {
	if address.Chain().Namespace != wallet.NamespaceEthereum {
		return ""
	}
	return address.Account()
}

// WithPrefix returns a typed address without the white space around it, and an Ethereum address with its 0x.
func WithPrefix(typed string) string {
	typed = strings.TrimSpace(typed)
	if len(typed) == 40 && wallet.ReadAddress("0x"+typed).Kind() == wallet.Ethereum {
		return "0x" + typed
	}
	return typed
}

// NormalEmail returns an e-mail as e-mails are compared.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
