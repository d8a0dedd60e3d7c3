package wallet

import (
	"slices"
	"time"
)

// MessagePolicy is what a site requires of sign-in messages. An empty list
// allows nothing.
type MessagePolicy struct {
	// Domains are the sites for which a message may be made. The first is the
	// default.
	Domains []Domain

	// Chains are the chains that a message may name, the preferred ones first.
	// An entry of ParseAllowedChain may allow every chain of its namespace.
	Chains []ChainID

	// MaxAge is how long a message is accepted after its Issued At: the
	// lifetime of a challenge.
	MaxAge time.Duration

	// ClockSkew applies to all three times of a message.
	ClockSkew time.Duration

	// AllowUnchecksummed accepts an Ethereum address in all lower or all upper
	// case, without its EIP-55 checksum. A wrong checksum is never accepted.
	AllowUnchecksummed bool
}

// Check checks a message against the policy at the given time. It does not
// check the nonce, the signature, and whether the address is the one that signs
// in. It returns ErrDomainMismatch, ErrURIMismatch, ErrChainNotAllowed,
// ErrBadChecksum, ErrIssuedAtOutOfRange, ErrMessageExpired or
// ErrMessageNotYetValid.
func (p MessagePolicy) Check(m *Message, now time.Time) error {
	if !p.allows(m.Scheme, m.Domain) {
		return ErrDomainMismatch
	}
	if err := p.checkURI(m); err != nil {
		return err
	}
	if m.Kind() != Raw {
		if _, err := p.ChainFor(m.Kind(), m.Chain); err != nil {
			return err
		}
	}
	if err := p.checkAddress(m); err != nil {
		return err
	}
	return p.checkTimes(m, now)
}

// Site returns the allowed site of a request, named by [scheme://]host[:port]
// or by its Origin. It has the scheme for the message's URI. An empty name is
// the first of Domains. It returns false for any other name.
func (p MessagePolicy) Site(name string) (Domain, bool) {
	if name == "" {
		if len(p.Domains) == 0 {
			return Domain{}, false
		}
		name = p.Domains[0].Origin()
	}
	wanted, err := ParseDomain(name)
	if err != nil {
		return Domain{}, false
	}
	for _, d := range p.Domains {
		if !d.Allows(wanted.Scheme, wanted.Host) {
			continue
		}
		if wanted.Scheme == "" {
			wanted.Scheme = d.scheme()
		}
		return wanted, true
	}
	return Domain{}, false
}

// ChainFor returns the chain for a sign-in with that kind of address: the
// wanted one if it is allowed, or [MessagePolicy.PreferredChain] if none is
// wanted. It returns ErrChainNotAllowed if there is none.
func (p MessagePolicy) ChainFor(kind AddressKind, wanted ChainID) (ChainID, error) {
	if wanted == (ChainID{}) {
		if chain, ok := p.PreferredChain(kind.Namespace()); ok {
			return chain, nil
		}
		return ChainID{}, ErrChainNotAllowed
	}
	if wanted.Namespace != kind.Namespace() || !p.AllowsChain(wanted) {
		return ChainID{}, ErrChainNotAllowed
	}
	return wanted, nil
}

// AllowsChain reports whether a message may name the chain.
func (p MessagePolicy) AllowsChain(chain ChainID) bool {
	read, err := ParseChainID(chain.String())
	return err == nil && read == chain && slices.ContainsFunc(p.Chains, func(allowed ChainID) bool {
		return chain == allowed || allowed.IsAny() && chain.Namespace == allowed.Namespace
	})
}

// PreferredChain returns the default chain of a namespace: the first that Chains name, or the main network if Chains
// allow every chain of the namespace and name none.
func (p MessagePolicy) PreferredChain(namespace string) (chain ChainID, ok bool) {
	for _, allowed := range p.Chains {
		if allowed.Namespace == namespace && !allowed.IsAny() {
			return allowed, true
		}
		ok = ok || allowed.Namespace == namespace
	}
	if !ok {
		return ChainID{}, false
	}
	return ChainID{namespace, mainNetworks[namespace]}, true
}

func (p MessagePolicy) allows(scheme, host string) bool {
	return slices.ContainsFunc(p.Domains, func(d Domain) bool { return d.Allows(scheme, host) })
}

// checkURI accepts a URI whose origin is an allowed site. Only Solana messages
// may have none.
func (p MessagePolicy) checkURI(m *Message) error {
	if m.URI == "" && m.Kind() == Solana {
		return nil
	}
	scheme, authority, ok := splitURI(m.URI)
	if !ok || !p.allows(scheme, authority) {
		return ErrURIMismatch
	}
	return nil
}

func (p MessagePolicy) checkAddress(m *Message) error {
	if m.Kind() != Ethereum {
		return nil
	}
	signer := m.Signer()
	if err := signer.checkEthereum(); err != nil {
		return err
	}
	if !p.AllowUnchecksummed && signer.checksummed != m.Address {
		return ErrNoChecksum
	}
	return nil
}

func (p MessagePolicy) checkTimes(m *Message, now time.Time) error {
	if m.IssuedAt.After(now.Add(p.ClockSkew)) || m.IssuedAt.Before(now.Add(-p.MaxAge-p.ClockSkew)) {
		return ErrIssuedAtOutOfRange
	}
	if m.ExpirationTime != nil && !now.Add(-p.ClockSkew).Before(*m.ExpirationTime) {
		return ErrMessageExpired
	}
	if m.NotBefore != nil && now.Add(p.ClockSkew).Before(*m.NotBefore) {
		return ErrMessageNotYetValid
	}
	return nil
}
