package serverauth

import (
	"context"
	"errors"
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
	log            *slog.Logger
}

type signInReply struct {
	Tokens
	Address   string `json:"address"`
	Algorithm string `json:"algorithm"`
}

// signIn is POST /sign-in.
func (w *walletLogin) signIn(c echo.Context) error {
	began, ctx := w.now(), c.Request().Context()
	var request signInRequest
	if err := app.DecodeJSON(c.Response(), c.Request(), &request); err != nil {
		return err
	}
	subject, err := w.prove(ctx, request)
	if err != nil {
		w.refused(c, request, err)
		return err
	}
	tokens, err := w.sessions.Start(ctx, subject, began)
	if err != nil {
		return err
	}
	securityEvent(ctx, w.log, eventSignIn, "subject", subject.ID, "algorithm", subject.Algorithm, "client", app.ClientIP(c))
	return reply(c, signInReply{Tokens: tokens, Address: subject.ID, Algorithm: subject.Algorithm})
}

// prove takes a request through format and message, nonce, signature and address, in this order: a request that is
// refused before the nonce spends nothing, and a nonce is spent before any cryptography is done for it.
func (w *walletLogin) prove(ctx context.Context, request signInRequest) (Subject, error) {
	proof, err := w.parse(request)
	if err != nil {
		return Subject{}, err
	}
	spent, err := w.store.Validate(ctx, wallet.ChallengeAddress(proof.address), proof.nonce)
	if err != nil {
		return Subject{}, err
	}
	if !spent {
		return Subject{}, errInvalidChallenge
	}
	key, err := proof.scheme.Verify(proof.publicKey, proof.signed, proof.signature)
	if err != nil {
		return Subject{}, signatureProblem(err)
	}
	identity, err := proof.scheme.Identify(proof.address, key)
	if err != nil {
		return Subject{}, identityProblem(err)
	}
	return Subject{
		ID: identity.Address, Kind: KindWallet, Algorithm: proof.scheme.Algorithm(), WalletID: identity.WalletID,
		Account: w.messages.account(identity, proof.chain),
	}, nil
}

func (w *walletLogin) refused(c echo.Context, request signInRequest, err error) {
	var problem *app.Problem
	if errors.As(err, &problem) {
		securityEvent(c.Request().Context(), w.log, eventSignInRefused,
			"code", problem.Code, "algorithm", shorten(request.Algorithm), "client", app.ClientIP(c))
	}
}
