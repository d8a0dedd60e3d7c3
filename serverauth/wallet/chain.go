package wallet

import "strings"

// The CAIP-2 namespaces of the chains whose wallets are known.
const (
	NamespaceEthereum = "eip155"
	NamespaceSolana   = "solana"
)

// ChainID is a CAIP-2 chain, for instance eip155:1. Its zero value is no
// chain.
type ChainID struct {
	Namespace, Reference string
}

// solanaClusters are the names that Solana's tools give to its public chains,
// and the CAIP-2 reference of each: the start of its genesis hash.
var solanaClusters = map[string]string{
	"mainnet": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
	"devnet":  "EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
	"testnet": "4uhcVJyU9pJkvQyS88uRDiswHXSGkY2z",
}

// solanaLocalnet is the chain of a validator on the developer's own machine.
// It has no fixed genesis hash, so its name is its reference.
const solanaLocalnet = "localnet"

// ParseChainID reads namespace:reference by CAIP-2: 3 to 8 of a-z, 0-9 and -,
// then 1 to 32 of letters, digits, - and _. An eip155 reference must be a
// decimal number without leading zeros. solana:mainnet,
// solana:devnet and solana:testnet, as the Wallet Standard writes them, become the
// chain's genesis hash. Anything else is ErrInvalidChainID.
func ParseChainID(text string) (ChainID, error) {
	namespace, reference, ok := strings.Cut(text, ":")
	if !ok || len(namespace) < 3 || len(namespace) > 8 || !consistsOf(namespace, isNamespaceChar) ||
		reference == "" || len(reference) > 32 || !consistsOf(reference, isReferenceChar) {
		return ChainID{}, ErrInvalidChainID
	}
	switch namespace {
	case NamespaceEthereum:
		if !consistsOf(reference, isDigit) || reference[0] == '0' {
			return ChainID{}, ErrInvalidChainID
		}
	case NamespaceSolana:
		if genesis, ok := solanaClusters[reference]; ok {
			reference = genesis
		}
	}
	return ChainID{Namespace: namespace, Reference: reference}, nil
}

// anyReference is the reference of what stands for every chain of a namespace.
const anyReference = "*"

// mainNetworks are the references of the chains that people mean who name none.
var mainNetworks = map[string]string{NamespaceEthereum: "1", NamespaceSolana: solanaClusters["mainnet"]}

// ParseAllowedChain reads a chain as ParseChainID does, or eip155:* or solana:*
// for every chain of the kind.
func ParseAllowedChain(text string) (ChainID, error) {
	namespace, reference, _ := strings.Cut(text, ":")
	if _, known := mainNetworks[namespace]; known && reference == anyReference {
		return ChainID{namespace, anyReference}, nil
	}
	return ParseChainID(text)
}

// IsAny reports whether c stands for every chain of its namespace.
func (c ChainID) IsAny() bool { return c.Reference == anyReference }

// String is namespace:reference, or empty for no chain.
func (c ChainID) String() string {
	if c == (ChainID{}) {
		return ""
	}
	return c.Namespace + ":" + c.Reference
}

// AccountID is a CAIP-10 account: an address on a chain.
type AccountID struct {
	Chain   ChainID
	Address string
}

// ParseAccountID reads namespace:reference:address by CAIP-10, where the
// address is 1 to 128 of letters, digits, -, . and %. Anything else is
// ErrInvalidAccountID.
func ParseAccountID(text string) (AccountID, error) {
	end := max(strings.LastIndexByte(text, ':'), 0)
	chain, err := ParseChainID(text[:end])
	address := strings.TrimPrefix(text[end:], ":")
	if err != nil || address == "" || len(address) > 128 || !consistsOf(address, isAccountChar) {
		return AccountID{}, ErrInvalidAccountID
	}
	return AccountID{Chain: chain, Address: address}, nil
}

// String is namespace:reference:address.
func (a AccountID) String() string { return a.Chain.String() + ":" + a.Address }

// solanaReference is the length of the start of a genesis hash that is a
// chain's CAIP-2 reference.
const solanaReference = 32

// parseSolanaChain reads the Chain ID line of a Sign-In with Solana message: the
// name of a cluster, or, as WalletConnect and AppKit write it, the CAIP-2 id
// with or without its namespace.
func parseSolanaChain(name string) (ChainID, bool) {
	if name == solanaLocalnet {
		return ChainID{NamespaceSolana, name}, true
	}
	reference := strings.TrimPrefix(name, NamespaceSolana+":")
	if genesis, ok := solanaClusters[reference]; ok {
		return ChainID{NamespaceSolana, genesis}, true
	}
	return ChainID{NamespaceSolana, reference}, len(reference) == solanaReference && consistsOf(reference, isAlphanumeric)
}

// solanaChainName is the inverse of parseSolanaChain.
func solanaChainName(chain ChainID) string {
	for name, genesis := range solanaClusters {
		if chain.Reference == genesis {
			return name
		}
	}
	return chain.Reference
}
