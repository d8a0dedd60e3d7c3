package serverauth

import (
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// maxAddressLength bounds an address in characters; the hex of an ML-DSA-87 key has 5184.
const maxAddressLength = 8192

// walletChallenge hands out the nonces that wallets sign, with the message to sign where a person will read it.
type walletChallenge struct {
	ttl        time.Duration
	messageTTL time.Duration
	store      ChallengeStore
	verifier   *WalletVerifier
	messages   *messages
	now        app.Clock
}

type challengeRequest struct {
	Address   string `json:"address"`
	Algorithm string `json:"algorithm"`
	ChainID   string `json:"chain_id"`
	Domain    string `json:"domain"`
}

type challengeReply struct {
	Challenge string `json:"challenge"`
	TTL       int64  `json:"ttl"` // seconds
	ExpiresAt string `json:"expires_at"`
	Message   string `json:"message,omitempty"`
}

// challenge is POST /challenge.
func (w *walletChallenge) challenge(c echo.Context) error {
	var request challengeRequest
	if err := app.DecodeJSON(c.Response(), c.Request(), &request); err != nil {
		return err
	}
	draft, err := w.draft(request, c.Request().Header.Get(echo.HeaderOrigin))
	if err != nil {
		return err
	}
	ttl := w.ttl
	if draft != nil {
		ttl = w.messageTTL
	}
	issued := w.now()
	nonce, err := w.store.Create(c.Request().Context(), wallet.ChallengeAddress(request.Address), ttl)
	if err != nil {
		return err
	}
	expires := issued.Add(ttl)
	answer := challengeReply{Challenge: nonce, TTL: int64(ttl / time.Second), ExpiresAt: expires.UTC().Format(time.RFC3339)}
	if draft != nil {
		if answer.Message, err = w.messages.finish(draft, nonce, issued, expires); err != nil {
			return err
		}
	}
	return reply(c, answer)
}

func (w *walletChallenge) draft(request challengeRequest, origin string) (*wallet.Message, error) {
	if err := checkAddress(request.Address); err != nil {
		return nil, err
	}
	if request.Algorithm != "" {
		if _, err := w.verifier.Scheme(request.Algorithm); err != nil {
			return nil, unsupportedAlgorithm(request.Algorithm)
		}
	}
	return w.messages.draft(request, origin)
}

// checkAddress refuses what cannot be an address before anything is done with it.
func checkAddress(address string) error {
	switch {
	case address == "":
		return errAddressRequired
	case len(address) > maxAddressLength && utf8.RuneCountInString(address) > maxAddressLength:
		return errAddressTooLong
	case wallet.KindOf(address) == wallet.Ethereum:
		if _, err := wallet.ParseEthereumAddress(address); err != nil {
			return errBadChecksum
		}
	}
	return nil
}
