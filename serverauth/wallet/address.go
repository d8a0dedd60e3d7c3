package wallet

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrInvalidAddress is returned for a text that claims to be an address of a chain and is
// not a valid one. The *AddressError that wraps it says what is wrong.
var ErrInvalidAddress error = &refusal{code: "invalid_address", text: "invalid address"}

// AddressError says why a text is not an address. It is an ErrInvalidAddress.
type AddressError struct {
	Reason string // completes "the address …"; contains no client input
}

func (e *AddressError) Error() string { return "invalid address: it " + e.Reason }

// Unwrap makes errors.Is find ErrInvalidAddress.
func (e *AddressError) Unwrap() error { return ErrInvalidAddress }

// Address is a parsed address; no other code parses its text again. White space
// around it and the CAIP-10 or did:pkh form are removed, and 0X is 0x. The zero
// value is no address.
type Address struct {
	text      string
	challenge string
	kind      AddressKind
	chain     ChainID

	solana        [ed25519.PublicKeySize]byte // the key that a Solana address encodes
	ethereum      EthereumAddress
	checksummed   string // EIP-55 form of an Ethereum address
	wrongChecksum bool
}

// didPKH is the prefix of a CAIP-10 account in a did:pkh identifier.
const didPKH = "did:pkh:"

// ParseAddress parses an address as people, wallets and libraries write it:
// with white space around it, with 0X, as a CAIP-10 account or as a did:pkh.
// algorithm is the signature algorithm of the address; empty: unknown. An
// address of an application's own scheme is only trimmed.
//
// A text that claims to be of a chain (by the algorithm eip191, a CAIP-10
// prefix, or 0x and about 40 characters) must be a valid address of it.
// Otherwise the error is an *AddressError or ErrBadChecksum. Any other text is
// a Raw address; only its key shows whether it is valid.
func ParseAddress(text, algorithm string) (Address, error) {
	text = strings.TrimSpace(text)
	if algorithm != "" && !isBuiltin(algorithm) {
		return read(text), nil
	}
	bare, chain, err := cutChain(text)
	if err != nil {
		return Address{}, err
	}
	a := read(bare)
	a.chain = chain
	return a, a.CheckFor(algorithm)
}

// ReadAddress parses the text of an operator, who may name any subject. It
// accepts the forms of ParseAddress and does not check a checksum. Any other
// text is only trimmed.
func ReadAddress(text string) Address {
	text = strings.TrimSpace(text)
	if bare, chain, err := cutChain(text); err == nil && bare != text {
		a := read(bare)
		a.chain = chain
		if a.kind != Raw || a.HoldsKey() {
			return a
		}
	}
	return read(text)
}

// onRead is called with every text that is parsed as an address. Only tests replace it.
var onRead = func(string) {}

// read parses a bare address. No other function does.
func read(text string) Address {
	onRead(text)
	a := Address{text: text, challenge: text}
	digits, classes := hexDigits(text)
	isHex := classes&noHex == 0
	if isHex && len(digits) == 40 && strings.HasPrefix(text, "0x") {
		_, _ = hex.Decode(a.ethereum[:], []byte(digits)) // they are hex digits
		a.kind, a.checksummed, a.challenge = Ethereum, a.ethereum.String(), strings.ToLower(text)
		mixed := digits != a.challenge[2:] && digits != strings.ToUpper(digits)
		a.wrongChecksum = mixed && text != a.checksummed
		return a
	}
	if isHex {
		a.challenge = digits
		if classes&upperHex != 0 {
			a.challenge = strings.ToLower(digits)
		}
	}
	if key, ok := solanaKey(text); ok {
		a.kind, a.solana = Solana, [ed25519.PublicKeySize]byte(key)
	}
	return a
}

// String returns the bare address, without white space and chain.
func (a Address) String() string { return a.text }

// Kind returns the kind of the address by its form. Some thumbprints of ML-DSA
// keys happen to be base58 of 32 bytes: if the algorithm is known, it decides.
func (a Address) Kind() AddressKind { return a.kind }

// Chain returns the chain that the address was written with, or no chain.
func (a Address) Chain() ChainID { return a.chain }

// Account returns the CAIP-10 id of the address in canonical form, or "" if the
// address was written without a chain.
func (a Address) Account() string {
	if a.chain == (ChainID{}) {
		return ""
	}
	return AccountID{Chain: a.chain, Address: a.Canonical()}.String()
}

// Challenge returns the form of the address to which a challenge is bound. It
// needs no key and is the same for different spellings: 0x and 40 hex digits
// become lower case, other hex becomes lower case without 0x, and anything else
// is unchanged.
func (a Address) Challenge() string { return a.challenge }

// Canonical returns the address as a token's subject: the EIP-55 checksum form
// of an Ethereum address, the canonical form of an address that contains its
// key, and any other address as it is.
func (a Address) Canonical() string {
	if a.kind == Ethereum {
		return a.checksummed
	}
	if id, ok := a.ofOwnKey(); ok {
		return id.Address
	}
	return a.text
}

// Ethereum returns the 20 bytes of an Ethereum address, or zeros for another kind.
func (a Address) Ethereum() EthereumAddress { return a.ethereum }

// SolanaKey returns the 32-byte Ed25519 key of a Solana address, or nil for
// another kind.
func (a Address) SolanaKey() []byte {
	if a.kind != Solana {
		return nil
	}
	return a.solana[:]
}

// MessageAccount returns the Account of the message with which the address
// signs in by the algorithm. If algorithm is empty, the address decides. It
// returns "" if there is no such message: for a Raw address without an
// algorithm, and for eip191 with an address that is not Ethereum.
func (a Address) MessageAccount(algorithm string) string {
	switch {
	case a.kind == Ethereum && (algorithm == "" || algorithm == EIP191Algorithm || algorithm == Secp256k1Algorithm):
		return EthereumAccount
	case a.kind == Solana && (algorithm == "" || algorithm == Ed25519Algorithm):
		return SolanaAccount
	case algorithm == EIP191Algorithm:
		return ""
	default:
		return algorithm
	}
}

// cutChain extracts the address from a CAIP-10 account or a did:pkh, and replaces 0X by 0x.
func cutChain(whole string) (bare string, chain ChainID, err error) {
	text, isDID := strings.CutPrefix(whole, didPKH)
	namespace, _, found := strings.Cut(text, ":")
	ours := namespace == NamespaceEthereum || namespace == NamespaceSolana
	account, err := ParseAccountID(text)
	switch {
	case found && ours && err != nil, isDID && err != nil, namesChain(text) && !ours:
		return "", chain, &AddressError{"must be written NAMESPACE:CHAIN:ADDRESS after a namespace or did:pkh"}
	case found && err != nil && isNearlyEthereum(text[strings.LastIndexByte(text, ':')+1:]):
		return "", chain, &AddressError{"has a prefix that is no chain: it must be 0x and 40 hex digits, or NAMESPACE:CHAIN:ADDRESS"}
	case err != nil: // not an account: the text as it is
		bare = whole
	case !ours:
		return "", chain, &AddressError{"has a namespace other than " + NamespaceEthereum + " and " + NamespaceSolana}
	default:
		bare, chain = account.Address, account.Chain
	}
	return lower0X(bare), chain, nil
}

// namesChain reports whether text begins like an Ethereum or Solana account or
// a did:pkh, in any letter case.
func namesChain(text string) bool {
	for _, prefix := range []string{NamespaceEthereum + ":", NamespaceSolana + ":", didPKH} {
		if len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

func lower0X(text string) string {
	if digits, ok := strings.CutPrefix(text, "0X"); ok {
		return "0x" + digits
	}
	return text
}

// CheckFor returns the error of ParseAddress for an address that claims to be
// of a chain and is not valid there.
func (a Address) CheckFor(algorithm string) error {
	switch {
	case algorithm != "" && !isBuiltin(algorithm):
		return nil
	case a.chain.Namespace == NamespaceSolana && a.kind != Solana:
		return &AddressError{"must be a Solana address, base58 of 32 bytes"}
	case a.chain.Namespace == NamespaceSolana && algorithm != "" && algorithm != Ed25519Algorithm,
		a.chain.Namespace == NamespaceEthereum && algorithm != "" && a.MessageAccount(algorithm) != EthereumAccount && a.kind == Ethereum:
		return &AddressError{"is of a chain whose accounts do not sign with this algorithm"}
	case a.kind == Ethereum:
		return a.checkEthereum()
	case algorithm == EIP191Algorithm || a.chain.Namespace == NamespaceEthereum || isNearlyEthereum(a.text):
		return &AddressError{whyNotEthereum(a.text)}
	}
	return nil
}

// isNearlyEthereum reports whether text is 0x and about 40 characters. No raw
// key has such a length.
func isNearlyEthereum(text string) bool {
	length := utf8.RuneCountInString(text)
	return strings.HasPrefix(text, "0x") && length >= 2+36 && length <= 2+44
}

func whyNotEthereum(text string) string {
	const wanted = "must be 0x and 40 hex digits"
	digits, hasPrefix := strings.CutPrefix(text, "0x")
	switch {
	case !hasPrefix && len(text) == 40 && consistsOf(text, isHexDigit):
		return wanted + ", the 0x is missing"
	case strings.HasSuffix(text, ".eth"):
		return wanted + ", not a name: the client resolves names"
	case hasPrefix && consistsOf(digits, isHexDigit):
		return fmt.Sprintf("%s, and has %d", wanted, len(digits))
	case hasPrefix:
		return wanted + ", and has another character"
	default:
		return wanted
	}
}

func isBuiltin(algorithm string) bool {
	switch algorithm {
	case Ed25519Algorithm, Secp256k1Algorithm, EIP191Algorithm, MLDSA44Algorithm, MLDSA65Algorithm, MLDSA87Algorithm:
		return true
	default:
		return false
	}
}
