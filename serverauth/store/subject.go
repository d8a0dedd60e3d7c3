package store

import "slices"

// Kinds of subject, in sessions and in the mint audit.
const (
	KindWallet = "wallet"
	KindAdmin  = "admin"
	KindFleet  = "fleet"
)

// Kinds of wallet, in the claim wallet_kind.
const (
	WalletKey      = "key"
	WalletContract = "contract" // EIP-1271
)

// Subject is the authenticated subject for which a token is to be issued.
type Subject struct {
	ID   string // the token's `sub`: a canonical wallet address, the CAIP-10 account of a contract, or an e-mail
	Kind string // KindWallet or KindAdmin

	// Of wallets only.
	Algorithm string // the wallet algorithm
	WalletID  string // RFC 7638 thumbprint of the key, where it is known
	Account   string // CAIP-10 account, where the address belongs to a chain
	Address   string // canonical address of the wallet, where the ID is something else
	// WalletKind is WalletContract for a contract wallet, which is valid on the chain of its Account only: on another chain the
	// same address may belong to somebody else. Empty for a key.
	WalletKind string
}

// WalletAddress returns the canonical address of a wallet; empty for any other subject.
func (s Subject) WalletAddress() string {
	switch {
	case s.Kind != KindWallet:
		return ""
	case s.Address != "":
		return s.Address
	default:
		return s.ID
	}
}

// ClaimedKind returns the claim wallet_kind; empty for a subject that is not a wallet.
func (s Subject) ClaimedKind() string {
	switch {
	case s.Kind != KindWallet:
		return ""
	case s.WalletKind != "":
		return s.WalletKind
	default:
		return WalletKey
	}
}

// Among reports whether ids contains the ID of the subject or of its wallet.
func (s Subject) Among(ids []string) bool {
	return slices.Contains(ids, s.ID) || s.WalletID != "" && slices.Contains(ids, s.WalletID)
}
