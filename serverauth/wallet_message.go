package serverauth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// newMessagePolicy returns the rules by which messages are made and checked.
func newMessagePolicy(s ServerAuthSettings, parsed parsedSettings) wallet.MessagePolicy {
	return wallet.MessagePolicy{
		Domains: parsed.domains, Chains: parsed.chains,
		MaxAge: max(s.MessageTTL(), s.ChallengeTTL()), ClockSkew: s.ClockSkew(), AllowUnchecksummed: s.AllowUnchecksummedAddresses,
	}
}

// messages makes the texts that users sign, and reads the texts that they signed.
type messages struct {
	policy    wallet.MessagePolicy
	statement string
	now       app.Clock
}

// draft returns the message for a challenge request, still without statement, nonce and times, or nil if there is none. An
// address of a chain has a message. A raw key has one if the algorithm is given, and the domain is given or always is true. A
// request without an address has none, but it is refused if a message for that site would be refused.
func (m *messages) draft(r challengeRequest, origin string, always bool) (*wallet.Message, error) {
	if none := (wallet.ChainID{}); r.chain != none && !m.policy.AllowsChain(r.chain) {
		return nil, hinted(errChainNotAllowed, m.chainHint("", r.chain))
	}
	if r.Address == nil {
		_, err := m.site(r.Domain, origin)
		return nil, err
	}
	account := r.address.MessageAccount(r.Algorithm)
	ofChain := account == wallet.EthereumAccount || account == wallet.SolanaAccount
	if r.Domain == "" && !ofChain && !always {
		return nil, nil
	}
	site, err := m.site(r.Domain, origin)
	if err != nil || account == "" {
		return nil, err
	}
	draft := wallet.NewMessage(account, r.address)
	draft.Domain, draft.URI = site.Host, site.Origin()
	if r.DPoPKey != "" {
		draft.Resources = []string{dpop.Resource(r.DPoPKey)}
	}
	if ofChain {
		if draft.Chain, err = m.policy.ChainFor(draft.Kind(), r.chain); err != nil {
			return nil, hinted(errChainNotAllowed, m.chainHint(draft.Kind().Namespace(), r.chain))
		}
	}
	return draft, nil
}

// site returns the domain that the request names, else that of its Origin header, else the first allowed one.
func (m *messages) site(domain, origin string) (wallet.Domain, error) {
	domain = cmp.Or(domain, origin)
	site, ok := m.policy.Site(domain)
	if !ok {
		return site, hinted(errDomainNotAllowed, fmt.Sprintf("the request is for the domain %q, allowed are %s", shorten(domain), m.domains()))
	}
	return site, nil
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

// check checks a signed message by the policy.
func (m *messages) check(message *wallet.Message) error {
	now := m.now()
	if err := m.policy.Check(message, now); err != nil {
		return m.messageProblem(err, message, now)
	}
	return nil
}

// account returns the CAIP-10 id of a verified address: on the chain that its message names, else on the first allowed chain of its
// kind. It is empty for an address without a chain.
func (m *messages) account(identity wallet.Identity, named wallet.ChainID) string {
	chain := named
	if chain == (wallet.ChainID{}) {
		chain, _ = m.policy.PreferredChain(identity.Chain)
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
