package serverauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// newMessagePolicy reads the settings that messages are made by and checked against.
func newMessagePolicy(s ServerAuthSettings) (wallet.MessagePolicy, error) {
	policy := wallet.MessagePolicy{
		MaxAge: max(s.MessageTTL(), s.ChallengeTTL()), ClockSkew: s.ClockSkew(), AllowUnchecksummed: s.AllowUnchecksummedAddresses,
	}
	domains := s.AllowedDomains
	if domains == nil {
		issuer, err := url.Parse(s.Issuer)
		if err != nil {
			return policy, &app.ConfigError{Key: "issuer", Reason: "is not a URL"}
		}
		domains = []string{issuer.Scheme + "://" + issuer.Host}
	}
	for _, text := range domains {
		domain, err := wallet.ParseDomain(text)
		if err != nil {
			return policy, &app.ConfigError{Key: "allowed_domains", Reason: fmt.Sprintf("%q is not [scheme://]host[:port]", text)}
		}
		policy.Domains = append(policy.Domains, domain)
	}
	for _, text := range s.AllowedChains {
		chain, err := wallet.ParseChainID(text)
		if err != nil {
			return policy, &app.ConfigError{Key: "allowed_chains", Reason: fmt.Sprintf("%q is not a CAIP-2 chain", text)}
		}
		policy.Chains = append(policy.Chains, chain)
	}
	return policy, nil
}

// messages makes the texts that people sign and reads those that they signed.
type messages struct {
	policy    wallet.MessagePolicy
	statement string
	now       app.Clock
}

func newMessages(s ServerAuthSettings, now app.Clock) (*messages, error) {
	policy, err := newMessagePolicy(s)
	if err != nil {
		return nil, err
	}
	return &messages{policy: policy, statement: s.Statement, now: now}, nil
}

// draft returns the message that a challenge request asks for, still without nonce and times, or nil for none: an
// address of a chain has one, a bare key where algorithm and domain are given.
func (m *messages) draft(r challengeRequest, origin string) (*wallet.Message, error) {
	chain, err := m.chain(r)
	if err != nil {
		return nil, err
	}
	account := wallet.AccountFor(r.Algorithm, r.Address)
	ofChain := account == wallet.EthereumAccount || account == wallet.SolanaAccount
	if r.Domain == "" && !ofChain {
		return nil, nil
	}
	site, err := m.site(r.Domain, origin)
	if err != nil || account == "" {
		return nil, err
	}
	draft := &wallet.Message{
		Account: account, Address: r.Address, Statement: m.statement, Domain: site.Host, URI: site.Origin(),
	}
	if ofChain {
		if draft.Chain, err = m.policy.ChainFor(draft.Kind(), chain); err != nil {
			return nil, errChainNotAllowed
		}
	}
	if draft.Kind() == wallet.Ethereum {
		address, err := wallet.ParseEthereumAddress(r.Address)
		if err != nil {
			return nil, errBadChecksum
		}
		draft.Address = address.String()
	}
	return draft, nil
}

// site is the one that the request names, else that of its Origin where it is allowed, else the first.
func (m *messages) site(domain, origin string) (wallet.Domain, error) {
	if domain == "" && origin != "" {
		if site, ok := m.policy.Site(origin); ok {
			return site, nil
		}
	}
	site, ok := m.policy.Site(domain)
	if !ok {
		return site, errDomainNotAllowed
	}
	return site, nil
}

func (m *messages) chain(r challengeRequest) (wallet.ChainID, error) {
	if r.ChainID == "" {
		return wallet.ChainID{}, nil
	}
	chain, err := wallet.ParseChainID(r.ChainID)
	if err != nil {
		return chain, app.NewProblem(http.StatusBadRequest, "invalid_chain_id", "invalid chain_id")
	}
	for _, allowed := range m.policy.Chains {
		if chain == allowed {
			return chain, nil
		}
	}
	return chain, errChainNotAllowed
}

// finish returns the text of a draft.
func (m *messages) finish(draft *wallet.Message, nonce string, issued, expires time.Time) (string, error) {
	issued, expires = issued.UTC().Truncate(time.Second), expires.UTC().Truncate(time.Second)
	draft.Nonce, draft.IssuedAt, draft.ExpirationTime = nonce, issued, &expires
	text, err := draft.Text()
	if err != nil {
		return "", app.NewProblem(http.StatusBadRequest, "invalid_address", "address cannot be shown in a message")
	}
	return text, nil
}

// read parses a signed text and holds it against the policy.
func (m *messages) read(text string) (*wallet.Message, error) {
	message, err := wallet.ParseMessage(text)
	if err != nil {
		return nil, malformedMessage(err)
	}
	switch err := m.policy.Check(message, m.now()); {
	case errors.Is(err, wallet.ErrBadChecksum):
		return nil, errBadChecksum
	case err != nil:
		return nil, app.NewProblem(http.StatusUnauthorized, wallet.Code(err), err.Error())
	}
	return message, nil
}

// account is the CAIP-10 id of a verified address: on the chain that its message names, or else the first allowed.
func (m *messages) account(identity wallet.Identity, named wallet.ChainID) string {
	chain := named
	if chain == (wallet.ChainID{}) {
		for _, allowed := range m.policy.Chains {
			if allowed.Namespace == identity.Chain {
				chain = allowed
				break
			}
		}
	}
	if identity.Chain == "" || chain.Namespace != identity.Chain {
		return ""
	}
	return wallet.AccountID{Chain: chain, Address: identity.Address}.String()
}

func malformedMessage(err error) *app.Problem {
	code := wallet.Code(wallet.ErrMalformedMessage)
	if errors.Is(err, wallet.ErrBadChecksum) {
		code = wallet.Code(wallet.ErrBadChecksum)
	}
	return app.NewProblem(http.StatusBadRequest, code, err.Error())
}
