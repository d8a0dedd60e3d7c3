// Package subject converts the forms in which users write the subject of a token.
package subject

import (
	"slices"
	"strings"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// IDs returns the identifiers that tokens of a subject may have, for any form of the subject. The canonical form is the first. The
// others, sorted, are the wallet id if the address contains the key, the account if typed is an Ethereum account (the subject of
// a contract wallet), and typed itself if it is an e-mail or 40 hex digits without 0x, which may also be the subject of a fleet
// session. The result is empty for white space.
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

// Account returns an Ethereum account (CAIP-10 or did:pkh) in the form of a contract wallet's subject; "" for anything else.
func Account(typed string) string { return accountOf(wallet.ReadAddress(typed)) }

func accountOf(address wallet.Address) string {
	if address.Chain().Namespace != wallet.NamespaceEthereum {
		return ""
	}
	return address.Account()
}

// WithPrefix returns an address without the white space around it, and adds 0x to an Ethereum address of 40 hex digits.
func WithPrefix(typed string) string {
	typed = strings.TrimSpace(typed)
	if len(typed) == 40 && wallet.ReadAddress("0x"+typed).Kind() == wallet.Ethereum {
		return "0x" + typed
	}
	return typed
}

// NormalEmail returns an e-mail in the form for comparisons: lower case, without white space around it.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
