package wallet

import "strings"

// The CAIP-2 namespaces of the supported chains.
const (
	NamespaceEthereum = "eip155"
	NamespaceSolana   = "solana"
)

// ChainID is a CAIP-2 chain, for instance eip155:1. The zero value is no chain.
type ChainID struct {
	Namespace, Reference string
}

// solanaClusters maps the names of Solana's public chains to their CAIP-2
// references: the start of the genesis hash.
var solanaClusters = map[string]string{
	"mainnet": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
	"devnet":  "EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
	"testnet": "4uhcVJyU9pJkvQyS88uRDiswHXSGkY2z",
}

// solanaLocalnet is the chain of a validator on the developer's own machine.
// It has no fixed genesis hash, so its name is its reference.
const solanaLocalnet = "localnet"

// ParseChainID parses namespace:reference (CAIP-2): 3 to 8 of a-z, 0-9 and -,
// then 1 to 32 of letters, digits, - and _. An eip155 reference must be a
// decimal number without leading zeros. solana:mainnet, solana:devnet and
// solana:testnet, the names of the Wallet Standard, become the chain's genesis
// hash. The error is ErrInvalidChainID.
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

// anyReference is the reference of a ChainID for every chain of a namespace.
const anyReference = "*"

// mainNetworks are the references of the default chains.
var mainNetworks = map[string]string{NamespaceEthereum: "1", NamespaceSolana: solanaClusters["mainnet"]}

// ParseAllowedChain parses a chain as ParseChainID does, or eip155:* or
// solana:* for every chain of the namespace.
func ParseAllowedChain(text string) (ChainID, error) {
	namespace, reference, _ := strings.Cut(text, ":")
	if _, known := mainNetworks[namespace]; known && reference == anyReference {
		return ChainID{namespace, anyReference}, nil
	}
	return ParseChainID(text)
}

// IsAny reports whether c means every chain of its namespace.
func (c ChainID) IsAny() bool { return c.Reference == anyReference }

// String returns namespace:reference, or "" for no chain.
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

// ParseAccountID parses namespace:reference:address (CAIP-10). The address is 1
// to 128 of letters, digits, -, . and %. The error is ErrInvalidAccountID.
func ParseAccountID(text string) (AccountID, error) {
	end := max(strings.LastIndexByte(text, ':'), 0)
	chain, err := ParseChainID(text[:end])
	address := strings.TrimPrefix(text[end:], ":")
	if err != nil || address == "" || len(address) > 128 || !consistsOf(address, isAccountChar) {
		return AccountID{}, ErrInvalidAccountID
	}
	return AccountID{Chain: chain, Address: address}, nil
}

// String returns namespace:reference:address.
func (a AccountID) String() string { return a.Chain.String() + ":" + a.Address }

// solanaReference is the length of a Solana chain's CAIP-2 reference, which is
// the start of its genesis hash.
const solanaReference = 32

// parseSolanaChain parses the Chain ID of a Sign-In with Solana message: the
// name of a cluster, or the CAIP-2 id with or without its namespace, as
// WalletConnect and AppKit write it.
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
