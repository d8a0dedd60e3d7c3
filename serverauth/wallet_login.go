package serverauth

import (
	"context"
	"log/slog"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// defaultWalletAlgorithm is what a sign-in without `algorithm` means.
const defaultWalletAlgorithm = "ML-DSA-65"

// walletLogin exchanges a signed challenge for tokens.
type walletLogin struct {
	store          ChallengeStore
	verifier       *WalletVerifier
	messages       *messages
	requireMessage bool
	sessions       *SessionService
	now            app.Clock
	metrics        *Instruments
	log            *slog.Logger
}

type signInReply struct {
	Tokens
	Address   string `json:"address"`
	Algorithm string `json:"algorithm"`
}

// signIn is POST /sign-in.
func (w *walletLogin) signIn(c echo.Context) error {
	var request signInRequest
	answer, err := w.exchange(c, &request)
	w.metrics.signedIn(w.verifier, request.Algorithm, err)
	if err != nil {
		refusalEvent(c, w.log, eventSignInRefused, err, "algorithm", shorten(request.Algorithm))
		return err
	}
	securityEvent(c.Request().Context(), w.log, eventSignIn,
		"subject", answer.Address, "algorithm", answer.Algorithm, "client", app.ClientIP(c))
	return reply(c, answer)
}

func (w *walletLogin) exchange(c echo.Context, request *signInRequest) (signInReply, error) {
	began, ctx := w.now(), c.Request().Context()
	if err := app.DecodeJSON(c.Response(), c.Request(), request); err != nil {
		return signInReply{}, err
	}
	if request.Algorithm == "" {
		request.Algorithm = defaultWalletAlgorithm
	}
	subject, err := w.prove(ctx, *request)
	if err != nil {
		return signInReply{}, err
	}
	tokens, err := w.sessions.Start(ctx, subject, began)
	return signInReply{Tokens: tokens, Address: subject.ID, Algorithm: subject.Algorithm}, err
}

// prove takes a request through format and message, nonce, signature and address, in this order: a request that is
// refused before the nonce spends nothing, and a nonce is spent before any cryptography is done for it.
func (w *walletLogin) prove(ctx context.Context, request signInRequest) (Subject, error) {
	proof, err := w.parse(request)
	if err != nil {
		return Subject{}, err
	}
	if err := w.spend(ctx, proof); err != nil {
		return Subject{}, err
	}
	identity, err := verify(ctx, proof)
	if err != nil {
		return Subject{}, err
	}
	return Subject{
		ID: identity.Address, Kind: KindWallet, Algorithm: proof.scheme.Algorithm(), WalletID: identity.WalletID,
		Account: w.messages.account(identity, proof.chain),
	}, nil
}

func (w *walletLogin) spend(ctx context.Context, proof walletProof) (err error) {
	ctx, span := app.StartSpan(ctx, "challenge.spend")
	defer func() { app.EndSpan(span, err) }()
	spent, err := w.store.Validate(ctx, wallet.ChallengeAddress(proof.address), proof.nonce)
	if err == nil && !spent {
		err = errInvalidChallenge
	}
	return err
}

// verify returns who made the signature, if that is whom the request claims.
func verify(ctx context.Context, proof walletProof) (identity wallet.Identity, err error) {
	_, span := app.StartSpan(ctx, "signature.verify")
	defer func() { app.EndSpan(span, err) }()
	key, err := proof.scheme.Verify(proof.publicKey, proof.signed, proof.signature)
	if err != nil {
		return identity, signatureProblem(err)
	}
	identity, err = proof.scheme.Identify(proof.address, key)
	if err != nil {
		return identity, identityProblem(err)
	}
	return identity, nil
}
