package serverauth

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/internal/contract"
	"github.com/picoauth/picoauth/serverauth/internal/password"
	"github.com/picoauth/picoauth/serverauth/links"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
	"github.com/picoauth/picoauth/serverauth/wallet"
	"github.com/picoauth/picoauth/serverauth/wallet/onchain"
)

// Problems that several flows reply with. The texts are part of the HTTP interface.
var (
	errInvalidChallenge   = app.NewProblem(http.StatusUnauthorized, "invalid_challenge", "invalid or expired challenge")
	errOtherAddress       = app.NewProblem(http.StatusUnauthorized, "challenge_of_another_address", "invalid or expired challenge")
	errAddressRequired    = app.NewProblem(http.StatusBadRequest, "address_required", "address required")
	errAddressTooLong     = app.NewProblem(http.StatusBadRequest, "address_too_long", "address too long")
	errAlgorithmMismatch  = app.NewProblem(http.StatusBadRequest, "algorithm_mismatch", "message is not one of this algorithm")
	errAddressMismatch    = app.NewProblem(http.StatusBadRequest, "address_mismatch", "address does not match verified public key")
	errBadChecksum        = app.NewProblem(http.StatusBadRequest, "bad_checksum", "address checksum is wrong")
	errDomainNotAllowed   = app.NewProblem(http.StatusBadRequest, "domain_not_allowed", "domain not allowed")
	errInvalidChainID     = app.NewProblem(http.StatusBadRequest, "invalid_chain_id", "invalid chain_id")
	errChainNotAllowed    = app.NewProblem(http.StatusBadRequest, "chain_not_allowed", "chain not allowed")
	errSubjectRefused     = app.NewProblem(http.StatusForbidden, "subject_refused", "subject refused")
	errPasswordDisabled   = app.NewProblem(http.StatusForbidden, "password_login_disabled", "password login disabled")
	errInvalidCredentials = app.NewProblem(http.StatusUnauthorized, "invalid_credentials", "invalid credentials")
)

// signatureProblem names the rule that a signature violates. It reveals nothing else.
func signatureProblem(err error, hint string) *app.Problem {
	code := cmp.Or(wallet.Code(err), wallet.Code(wallet.ErrInvalidSignature))
	return hinted(app.NewProblem(http.StatusUnauthorized, code, "signature verification failed"), hint)
}

func unsupportedAlgorithm(name string) *app.Problem {
	return app.NewProblem(http.StatusBadRequest, "unsupported_algorithm", "unsupported wallet algorithm: "+shorten(name))
}

func tooManyRequests(retryAfter time.Duration) *app.Problem {
	p := app.NewProblem(http.StatusTooManyRequests, "too_many_requests", "too many requests")
	p.Header = http.Header{"Retry-After": {strconv.Itoa(max(1, int(math.Ceil(retryAfter.Seconds()))))}}
	return p
}

// unavailable is the reply while a dependency of the server, such as a store, is unavailable.
func unavailable() *app.Problem {
	p := app.NewProblem(http.StatusServiceUnavailable, "temporarily_unavailable", "temporarily unavailable")
	p.Header = http.Header{"Retry-After": {"1"}}
	return p
}

// contractsNotConfigured is the reply to a signature that only a contract wallet can have made, if no endpoint of its chain is
// configured.
func contractsNotConfigured(chain wallet.ChainID) *app.Problem {
	return app.NewProblem(http.StatusUnauthorized, "contract_wallet_not_supported", fmt.Sprintf("contract wallets of %s are not configured", chain))
}

// shorten limits what a reply or a log record repeats from a request to 64 bytes.
func shorten(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// problemOf returns the problem to reply with for an error; nil if the error is a failure of the server.
func problemOf(err error) *app.Problem {
	var problem *app.Problem
	var limit *contract.LimitError
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &limit) && limit.Client:
		return tooManyRequests(limit.RetryAfter)
	case errors.As(err, &limit):
		busy := hinted(errOverloaded, "too many calls to chains for contract wallets at the moment; try again later")
		busy.Header = tooManyRequests(limit.RetryAfter).Header
		return busy
	case errors.Is(err, onchain.ErrUnavailable):
		away := unavailable()
		away.Hint = "the chain of the contract wallet does not answer; nothing of this request was used up, so it can be sent again"
		away.Header.Set("Retry-After", "5")
		return away
	case errors.Is(err, store.ErrTooManyPending), errors.Is(err, password.ErrBusy):
		return tooManyRequests(time.Second)
	}
	for _, refusal := range refusals {
		if errors.Is(err, refusal.err) {
			return refusal.problem
		}
	}
	return nil
}

// refusals are the problems for errors of other packages. The first one that an error matches applies.
var refusals = []struct {
	err     error
	problem *app.Problem
}{
	{links.ErrLeft, errWalletLeft},
	{claims.ErrSubjectRefused, errSubjectRefused},
	{session.ErrEnded, sessionEnded},
	{session.ErrReused, refreshReused},
	{token.ErrRefreshInvalid, refreshUnknown},
	{token.ErrRefreshExpired, refreshExpired},
	{session.ErrKey, dpop.ErrKeyMismatch},
	{session.ErrFleetRevoked, errFleetSessionRevoked},
	{links.ErrTaken, errWalletTaken},
	{links.ErrSubjectExists, errSubjectExists},
	{links.ErrLast, errLastWallet},
	{links.ErrAmbiguous, errAmbiguousWallet},
	{links.ErrTooMany, errTooManyWallets},
	{links.ErrNotFound, errWalletNotFound},
}
