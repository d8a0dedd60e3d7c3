package serverauth

import (
	"cmp"
	"context"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/contract"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// defaultWalletAlgorithm is the algorithm of a sign-in without `algorithm` and without a message that implies one.
const defaultWalletAlgorithm = "ML-DSA-65"

// walletLogin exchanges a signed challenge for tokens.
type walletLogin struct {
	*parts
	store          store.ChallengeStore
	verifier       *WalletVerifier
	messages       *messages
	requireMessage bool
	spendLate      bool // the claims come from another server, whose failure must not use up the nonce
	contracts      *contract.Wallets
}

type signInReply struct {
	session.Tokens
	Address   string `json:"address"`
	Algorithm string `json:"algorithm"`
}

// signIn is POST /sign-in.
func (w *walletLogin) signIn(c echo.Context) error {
	var request signInRequest
	answer, err := w.exchange(c, &request)
	w.metrics.signedIn(w.verifier, request.Algorithm, err)
	if err != nil {
		refusalEvent(c, w.log, events.SignInRefused, err, "algorithm", shorten(request.Algorithm), "address", request.claimed())
		return err
	}
	events.Log(c.Request().Context(), w.log, events.SignIn,
		"subject", answer.Subject.ID, "algorithm", answer.Algorithm, "client", app.ClientIP(c))
	return reply(c, answer)
}

func (w *walletLogin) exchange(c echo.Context, request *signInRequest) (signInReply, error) {
	began, ctx := w.now(), c.Request().Context()
	if err := app.DecodeJSON(c.Response(), c.Request(), request); err != nil {
		return signInReply{}, err
	}
	proof, err := w.parse(request)
	if err != nil {
		return signInReply{}, err
	}
	if err := w.sessions.Ready(ctx); err != nil {
		return signInReply{}, err // before the nonce is spent
	}
	ctx, leave, err := w.admission.enter(ctx)
	if err != nil {
		return signInReply{}, err
	}
	defer leave()
	holder, err := w.proofs.Read(c.Request())
	if err == nil {
		err = holder.FitsResources(proof.resources()) // if the message names a key, the DPoP proof must be of that key
	}
	if err != nil {
		return signInReply{}, err
	}
	spend := sync.OnceValue(func() error {
		if err := holder.Spend(ctx); err != nil {
			return err
		}
		return w.spend(ctx, proof)
	})
	subject, err := w.prove(ctx, proof, spend)
	if err != nil {
		return signInReply{}, err
	}
	from := OriginOf(c, began)
	from.KeyThumbprint, from.Proof = holder.Key(), proof.kept(subject)
	tokens, err := w.sessions.Start(ctx, subject, from, spend)
	return signInReply{Tokens: tokens, Address: subject.WalletAddress(), Algorithm: subject.Algorithm}, err
}

// prove checks nonce, signature and address of a well-formed request, in this order: the nonce is used up before any
// cryptography. With spendLate a valid signature leaves the nonce to the caller; an invalid one uses it up all the same.
func (w *walletLogin) prove(ctx context.Context, proof walletProof, spend func() error) (store.Subject, error) {
	if proof.mayBeContract() && w.contracts.Has(proof.chain) {
		return w.proveOnChain(ctx, proof, spend)
	}
	if !w.spendLate {
		if err := spend(); err != nil {
			return store.Subject{}, err
		}
	}
	identity, err := w.verify(ctx, proof)
	if err != nil {
		return store.Subject{}, cmp.Or(spend(), proof.unlessContract(err))
	}
	return w.subject(proof, identity), nil
}

// subject returns the subject of a verified key.
func (w *walletLogin) subject(proof walletProof, identity wallet.Identity) store.Subject {
	return store.Subject{
		ID: identity.Address, Kind: store.KindWallet, Algorithm: proof.scheme.Algorithm(), WalletID: identity.WalletID,
		Account: w.messages.account(identity, proof.chain),
	}
}

func (w *walletLogin) spend(ctx context.Context, proof walletProof) (err error) {
	ctx, span := app.StartSpan(ctx, "challenge.spend")
	defer func() { app.EndSpan(span, err) }()
	return tryNonce(ctx, w.store, proof, w.store.Validate)
}

// verify returns the identity of the key that made the signature, if it has the address that the request claims.
func (w *walletLogin) verify(ctx context.Context, proof walletProof) (identity wallet.Identity, err error) {
	ctx, span := app.StartSpan(ctx, "signature.verify")
	defer func() { app.EndSpan(span, err) }()
	if waited := w.admission.cores.Compute(ctx, func() { identity, err = proof.identify(ctx) }); waited != nil {
		return identity, waited
	}
	return identity, err
}

func (proof walletProof) identify(ctx context.Context) (identity wallet.Identity, err error) {
	key, err := proof.scheme.Verify(ctx, proof.chain, proof.publicKey, proof.signed, proof.signature)
	if err != nil {
		return identity, signatureProblem(err, proof.hint(err))
	}
	identity, err = wallet.Identify(proof.scheme, proof.address, key)
	if err != nil {
		return identity, identityProblem(err, proof)
	}
	return identity, nil
}
