package wallet

import (
	"slices"
	"strings"
	"time"
)

// MaxMessageSize is the maximum size of a message in bytes.
const MaxMessageSize = 16 << 10

// The accounts of the two messages that belong to a chain. The account of any
// other message is the name of its algorithm.
const (
	EthereumAccount = "Ethereum"
	SolanaAccount   = "Solana"
)

// Message is the text that a person signs to sign in: an EIP-4361 message if
// Account is "Ethereum", a Sign-In with Solana message if it is "Solana", and
// else the CAIP-122 message of the algorithm that Account names.
//
// A message from [ParseMessage] follows the grammar, no more. It may be trusted
// after [MessagePolicy.Check] has accepted it, its Nonce was found to be a
// valid challenge, and its signature was verified for its Address.
type Message struct {
	// Scheme is the URI scheme before the domain, usually empty. Only EIP-4361
	// has it.
	Scheme string

	// Domain is the site's host[:port].
	Domain string

	// Account is EthereumAccount, SolanaAccount or an algorithm's name.
	Account string

	// Address is the signer as the message shows it.
	Address string
	signer  Address // parsed from readFrom
	// readFrom is the Address from which signer was parsed.
	readFrom string

	// Statement is the text for the person; empty for none.
	Statement string

	// URI is the page that asks for the sign-in. It may be empty for Solana.
	URI string

	// Chain is zero if the message names none: always for a bare key, sometimes
	// for Solana.
	Chain ChainID

	// Nonce is 8 or more letters and digits. The caller must check that it is a
	// valid challenge of Address.
	Nonce string

	IssuedAt       time.Time
	ExpirationTime *time.Time // nil: none
	NotBefore      *time.Time // nil: none

	// RequestID is set by the client's library; empty: none.
	RequestID string

	// Resources are URIs. A message may have the heading and no resource.
	Resources []string
}

// NewMessage returns a message of an account with its signer; all other fields
// are empty. An Ethereum address is written with its checksum.
func NewMessage(account string, signer Address) *Message {
	m := &Message{Account: account, signer: signer}
	if m.Kind() == Ethereum {
		m.signer.text = signer.checksummed
	}
	m.Address, m.readFrom = m.signer.text, m.signer.text
	return m
}

// Signer returns the parsed Address of the message. Only in the message of a
// raw key may it begin with 0X.
func (m *Message) Signer() Address {
	switch {
	case m.readFrom == m.Address:
		return m.signer
	case m.Kind() == Raw && isBuiltin(m.Account):
		return read(lower0X(m.Address))
	default:
		return read(m.Address)
	}
}

// Kind returns the kind of address that the message's account has.
func (m *Message) Kind() AddressKind {
	switch m.Account {
	case EthereumAccount:
		return Ethereum
	case SolanaAccount:
		return Solana
	default:
		return Raw
	}
}

// Fits reports whether the message's account may sign with the algorithm.
func (m *Message) Fits(algorithm string) bool {
	switch m.Kind() {
	case Ethereum:
		return algorithm == EIP191Algorithm || algorithm == Secp256k1Algorithm
	case Solana:
		return algorithm == Ed25519Algorithm
	default:
		return algorithm == m.Account
	}
}

// String returns the text to sign. ParseMessage reads the same message from it
// only if Validate returns nil.
func (m *Message) String() string {
	var b strings.Builder
	if m.Scheme != "" {
		b.WriteString(m.Scheme + "://")
	}
	b.WriteString(m.Domain + headerMiddle + m.Account + headerEnd + "\n" + m.Address + "\n\n")
	if m.Statement != "" {
		b.WriteString(m.Statement + "\n\n")
	} else if m.Kind() != Solana {
		b.WriteString("\n")
	}
	if m.URI != "" {
		b.WriteString(labelURI + m.URI + "\n")
	}
	b.WriteString(labelVersion + messageVersion + "\n")
	if m.Chain != (ChainID{}) {
		b.WriteString(labelChain + m.chainText() + "\n")
	}
	b.WriteString(labelNonce + m.Nonce + "\n")
	b.WriteString(labelIssuedAt + m.IssuedAt.Format(time.RFC3339Nano))
	if m.ExpirationTime != nil {
		b.WriteString("\n" + labelExpiration + m.ExpirationTime.Format(time.RFC3339Nano))
	}
	if m.NotBefore != nil {
		b.WriteString("\n" + labelNotBefore + m.NotBefore.Format(time.RFC3339Nano))
	}
	if m.RequestID != "" {
		b.WriteString("\n" + labelRequestID + m.RequestID)
	}
	if m.Resources != nil {
		b.WriteString("\n" + labelResources)
	}
	for _, resource := range m.Resources {
		b.WriteString("\n" + resourceMark + resource)
	}
	return b.String()
}

// Validate returns an error unless the text of the message parses to the same
// message. It refuses fields that would change another line, such as a
// statement with a line feed. The error is an ErrMalformedMessage.
func (m *Message) Validate() error {
	_, err := m.Text()
	return err
}

// Text returns String, or the error of Validate.
func (m *Message) Text() (string, error) {
	text := m.String()
	parsed, err := parseMessage(text, m)
	if err != nil {
		return "", err
	}
	if !parsed.equal(m) {
		return "", &SyntaxError{Reason: "a field holds more than its line"}
	}
	return text, nil
}

func (m *Message) chainText() string {
	if m.Chain.Namespace == NamespaceSolana {
		return solanaChainName(m.Chain)
	}
	return m.Chain.Reference
}

func (m *Message) equal(other *Message) bool {
	return m.Scheme == other.Scheme && m.Domain == other.Domain && m.Account == other.Account &&
		m.Address == other.Address && m.Statement == other.Statement && m.URI == other.URI &&
		m.Chain == other.Chain && m.Nonce == other.Nonce && m.RequestID == other.RequestID &&
		m.IssuedAt.Equal(other.IssuedAt) && equalTime(m.ExpirationTime, other.ExpirationTime) &&
		equalTime(m.NotBefore, other.NotBefore) && slices.Equal(m.Resources, other.Resources)
}

func equalTime(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}
