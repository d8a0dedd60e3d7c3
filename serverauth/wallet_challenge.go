package serverauth

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// walletChallenge issues the nonces that wallets sign and, if a person is to sign, the message that contains it.
type walletChallenge struct {
	ttl        time.Duration
	messageTTL time.Duration
	store      store.ChallengeStore
	verifier   *WalletVerifier
	messages   *messages
	wallets    *walletsFlow
	now        app.Clock
}

type challengeRequest struct {
	Address   *string `json:"address"` // nil if the wallet is not known yet
	Algorithm string  `json:"algorithm"`
	ChainID   string  `json:"chain_id"`
	Domain    string  `json:"domain"`
	DPoPKey   string  `json:"dpop_jkt"` // the thumbprint of the client's key, which the message then names
	// Join asks for a challenge that adds the wallet to the subject of the request's bearer token. Merge asks for one that also
	// ends the sessions of the wallet as a subject of its own.
	Join  bool `json:"join"`
	Merge bool `json:"merge"`

	address wallet.Address // what Address says, or no address
	chain   wallet.ChainID // what ChainID says, or else Address
}

type challengeReply struct {
	Challenge string `json:"challenge"`
	TTL       int64  `json:"ttl"` // seconds
	ExpiresAt string `json:"expires_at"`
	Message   string `json:"message,omitempty"`
}

// challengeTerms say what a challenge is for: a sign-in, unless a flow sets another purpose.
type challengeTerms struct {
	purpose   store.Purpose
	statement string // of the message
	// alwaysText makes a message also for a raw key, if its algorithm is given, even without a domain.
	alwaysText bool
}

// challenge is POST /challenge.
func (w *walletChallenge) challenge(c echo.Context) error {
	var request challengeRequest
	if err := app.DecodeOptionalJSON(c.Response(), c.Request(), &request); err != nil {
		return err
	}
	terms := challengeTerms{statement: w.messages.statement}
	if request.Join || request.Merge {
		var err error
		if terms, err = w.wallets.terms(c, request.Merge); err != nil {
			return err
		}
	}
	if err := w.normalise(&request); err != nil {
		return err
	}
	return w.answer(c, request, terms)
}

// answer replies with a challenge and, if the request is for one, its message.
func (w *walletChallenge) answer(c echo.Context, request challengeRequest, terms challengeTerms) error {
	draft, err := w.messages.draft(request, c.Request().Header.Get(echo.HeaderOrigin), terms.alwaysText)
	if err != nil {
		return err
	}
	ttl := w.ttl
	if draft != nil || request.Address == nil {
		ttl = w.messageTTL
	}
	issued := w.now()
	nonce, err := w.store.Create(c.Request().Context(), terms.purpose.Owner(request.owner()), ttl)
	if err != nil {
		return err
	}
	expires := issued.Add(ttl)
	answer := challengeReply{Challenge: nonce, TTL: int64(ttl / time.Second), ExpiresAt: expires.UTC().Format(time.RFC3339)}
	if draft != nil {
		draft.Statement = terms.statement
		if answer.Message, err = w.messages.finish(draft, nonce, issued, expires); err != nil {
			return err
		}
	}
	return reply(c, answer)
}

// owner returns the address to which the nonce belongs.
func (r challengeRequest) owner() string {
	if r.Address == nil {
		return noAddress
	}
	return r.address.Challenge()
}

// normalise reads the address and the chain, once.
func (w *walletChallenge) normalise(r *challengeRequest) (err error) {
	if r.Algorithm != "" {
		if _, err := w.verifier.Scheme(r.Algorithm); err != nil && (r.Address == nil || *r.Address != "") {
			return unsupportedAlgorithm(r.Algorithm)
		}
	}
	if r.DPoPKey != "" && !dpop.IsThumbprint(r.DPoPKey) {
		return app.NewProblem(http.StatusBadRequest, "invalid_dpop_jkt", "dpop_jkt is not the SHA-256 thumbprint of a key (RFC 7638)")
	}
	if r.Address != nil {
		if r.address, err = readAddress(*r.Address, r.Algorithm); err != nil {
			return err
		}
	}
	own := r.address.Chain()
	if r.ChainID == "" {
		r.chain = own
		return nil
	}
	r.chain, err = wallet.ParseChainID(r.ChainID)
	if own != (wallet.ChainID{}) && (err != nil || r.chain != own) {
		return invalidAddress(fmt.Sprintf("is on chain %s, and chain_id is another", own))
	}
	if err != nil {
		return hinted(errInvalidChainID, "chain_id must be a CAIP-2 chain, such as eip155:1 or solana:mainnet")
	}
	return nil
}

// noAddress is the address of a nonce that was requested without one. Such a nonce is valid only in a message, because a nonce
// alone contains neither the account that signs nor the site.
const noAddress = ""

// peekNonce checks whether the nonce of a proof is valid at present, without using it up. If the store cannot tell, the nonce
// counts as valid.
func peekNonce(ctx context.Context, challenges store.ChallengeStore, proof walletProof) error {
	peeker, ok := challenges.(store.NoncePeeker)
	if !ok {
		return nil
	}
	return tryNonce(ctx, challenges, proof, peeker.Peek)
}

// tryNonce looks up the nonce of a proof for its purpose: a nonce of the proof's address or, if it is in a message, one that was
// requested without an address. A nonce of another purpose stays valid.
func tryNonce(
	ctx context.Context, challenges store.ChallengeStore, proof walletProof, try func(ctx context.Context, address, nonce string) (bool, error),
) error {
	own, nobodys := proof.purpose.Owner(proof.address.Challenge()), proof.purpose.Owner(noAddress)
	owners := []string{own}
	knower, known := challenges.(store.NonceKnower)
	switch {
	case proof.text == textNonce:
	case known && knower.IsFor(nobodys, proof.nonce): // no second look-up, which may be a request to a database server
		owners = []string{nobodys}
	default:
		owners = append(owners, nobodys)
	}
	for _, owner := range owners {
		if live, err := try(ctx, owner, proof.nonce); err != nil || live {
			return err
		}
	}
	if known && knower.IsLive(proof.purpose, proof.nonce) && !isOwnNonce(knower, proof) {
		return hinted(errOtherAddress, "the challenge was requested for another account than the one that signed: request one for this account, or one without an address")
	}
	return errInvalidChallenge
}

// isOwnNonce reports whether the nonce of a proof belongs to its address or to none, and has not expired.
func isOwnNonce(knower store.NonceKnower, proof walletProof) bool {
	return knower.IsFor(proof.purpose.Owner(proof.address.Challenge()), proof.nonce) ||
		knower.IsFor(proof.purpose.Owner(noAddress), proof.nonce)
}
