package wallet

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrInvalidAddress means that the text names a chain's kind of address and is no such
// address. An *AddressError, which it is wrapped in, says what is wrong.
var ErrInvalidAddress error = &refusal{code: "invalid_address", text: "invalid address"}

// AddressError tells why a text is no address. It is an ErrInvalidAddress.
type AddressError struct {
	Reason string // completes "the address …"; holds nothing that a client sent
}

func (e *AddressError) Error() string { return "invalid address: it " + e.Reason }

// Unwrap makes errors.Is find ErrInvalidAddress.
func (e *AddressError) Unwrap() error { return ErrInvalidAddress }

// Address is an address that was read once, where it entered: without the
// white space around it, out of its CAIP-10 or did:pkh form, with 0x for 0X. It
// holds everything that its text tells, so that nobody reads that again. Its
// zero value is no address.
type Address struct {
	text      string
	challenge string
	kind      AddressKind
	chain     ChainID

	solana        [ed25519.PublicKeySize]byte // the key that a Solana address is
	ethereum      EthereumAddress
	checksummed   string // EIP-55 form of an Ethereum address
	wrongChecksum bool
}

// didPKH is what precedes a CAIP-10 account in a did:pkh identifier.
const didPKH = "did:pkh:"

// ParseAddress reads an address as people, wallets and libraries write it:
// with white space around it, with 0X, as a CAIP-10 account or a did:pkh.
// algorithm is the one that the address signs with, empty where that is not
// known; an address of an application's own scheme is only trimmed.
//
// Text that names a chain's kind (by the algorithm eip191, a CAIP-10 prefix,
// or 0x and about 40 characters) must be such an address, else the error is an
// *AddressError, or ErrBadChecksum. Anything else is a Raw address: only the
// key tells whether it is one.
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

// ReadAddress reads what an operator typed, who may name any subject: an address
// in the forms of ParseAddress, whose checksum is not looked at, or else the text
// as it is, without the white space around it.
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

// onRead is told of every text that is read as an address. Only tests replace it.
var onRead = func(string) {}

// read takes a bare address apart. Nothing else does.
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

// String is the address without what surrounded it.
func (a Address) String() string { return a.text }

// Kind tells the kind of the address by its form. Some thumbprints of ML-DSA
// keys are base58 of 32 bytes by chance: where the algorithm is known, it
// decides.
func (a Address) Kind() AddressKind { return a.kind }

// Chain is the chain that the address was written with, or no chain.
func (a Address) Chain() ChainID { return a.chain }

// Account is the CAIP-10 id that the address was written as, in canonical
// form, and empty where it was written without a chain.
func (a Address) Account() string {
	if a.chain == (ChainID{}) {
		return ""
	}
	return AccountID{Chain: a.chain, Address: a.Canonical()}.String()
}

// Challenge is the form of the address that a challenge belongs to. It
// needs no key, and it makes one of what libraries write differently: 0x and
// 40 hex digits are lowercased, other hex loses its 0x and is lowercased, and
// anything else stays as it is.
func (a Address) Challenge() string { return a.challenge }

// Canonical is the form that the address has as a token's subject: the EIP-55
// checksum form of an Ethereum address, the canonical form of an address that
// holds its key, and anything else as it is.
func (a Address) Canonical() string {
	if a.kind == Ethereum {
		return a.checksummed
	}
	if id, ok := a.ofOwnKey(); ok {
		return id.Address
	}
	return a.text
}

// Ethereum returns the 20 bytes of an address of that kind; of any other they
// are zero.
func (a Address) Ethereum() EthereumAddress { return a.ethereum }

// SolanaKey returns the 32-byte Ed25519 key that a Solana address is, and nil
// for any other.
func (a Address) SolanaKey() []byte {
	if a.kind != Solana {
		return nil
	}
	return a.solana[:]
}

// MessageAccount returns the Account of the message by which the address signs
// in with an algorithm; an empty algorithm leaves the choice to the address. It
// is empty when there is no such message: for an address of no chain without
// an algorithm, and for eip191 with an address that is not Ethereum's.
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

// cutChain takes an address out of a CAIP-10 account, and reads 0X as 0x.
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
	case err != nil: // no account, but what it is
		bare = whole
	case !ours:
		return "", chain, &AddressError{"has a namespace other than " + NamespaceEthereum + " and " + NamespaceSolana}
	default:
		bare, chain = account.Address, account.Chain
	}
	return lower0X(bare), chain, nil
}

// namesChain tells whether text begins like an account or a did:pkh of our
// chains, in any letter case.
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

// CheckFor refuses what names a chain's kind and is no address of it, as
// ParseAddress does.
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

// isNearlyEthereum tells whether text is 0x and about 40 characters. No raw
// key is so short or so long.
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
