package serverauth

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// What clients are told, where the text is the same at every place. The texts are part of the HTTP interface.
var (
	errInvalidChallenge   = app.NewProblem(http.StatusUnauthorized, "invalid_challenge", "invalid or expired challenge")
	errAddressRequired    = app.NewProblem(http.StatusBadRequest, "address_required", "address required")
	errAddressTooLong     = app.NewProblem(http.StatusBadRequest, "address_too_long", "address too long")
	errAddressMismatch    = app.NewProblem(http.StatusBadRequest, "address_mismatch", "address does not match verified public key")
	errBadChecksum        = app.NewProblem(http.StatusBadRequest, "bad_checksum", "address checksum is wrong")
	errDomainNotAllowed   = app.NewProblem(http.StatusBadRequest, "domain_not_allowed", "domain not allowed")
	errChainNotAllowed    = app.NewProblem(http.StatusBadRequest, "chain_not_allowed", "chain not allowed")
	errSubjectRefused     = app.NewProblem(http.StatusForbidden, "subject_refused", "subject refused")
	errPasswordDisabled   = app.NewProblem(http.StatusForbidden, "password_login_disabled", "password login disabled")
	errInvalidCredentials = app.NewProblem(http.StatusUnauthorized, "invalid_credentials", "invalid credentials")
)

// signatureProblem tells which public rule a signature broke, and nothing else.
func signatureProblem(err error) *app.Problem {
	code := wallet.Code(err)
	if code == "" {
		code = wallet.Code(wallet.ErrInvalidSignature)
	}
	return app.NewProblem(http.StatusUnauthorized, code, "signature verification failed")
}

func unsupportedAlgorithm(name string) *app.Problem {
	return app.NewProblem(http.StatusBadRequest, "unsupported_algorithm", "unsupported wallet algorithm: "+shorten(name))
}

func tooManyRequests(retryAfter time.Duration) *app.Problem {
	p := app.NewProblem(http.StatusTooManyRequests, "too_many_requests", "too many requests")
	p.Header = http.Header{"Retry-After": {strconv.Itoa(max(1, int(math.Ceil(retryAfter.Seconds()))))}}
	return p
}

// unavailable is the answer when something the server depends on is not there.
func unavailable() *app.Problem {
	p := app.NewProblem(http.StatusServiceUnavailable, "temporarily_unavailable", "temporarily unavailable")
	p.Header = http.Header{"Retry-After": {"1"}}
	return p
}

// shorten bounds what a reply repeats of a request.
func shorten(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

// problemOf is the problem that an error is answered with, or nil for what is no refusal but a failure.
func problemOf(err error) *app.Problem {
	var problem *app.Problem
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.Is(err, ErrTooManyPending), errors.Is(err, errBusy):
		return tooManyRequests(time.Second)
	case errors.Is(err, ErrSubjectRefused):
		return errSubjectRefused
	default:
		return nil
	}
}

// handler turns a flow into an echo handler that writes its own problems, so that it answers alike in an app of any
// make. What is no problem is the server's fault: it is logged and answered with 503.
func handler(log *slog.Logger, flow func(echo.Context) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := flow(c)
		if err == nil {
			return nil
		}
		problem := problemOf(err)
		switch {
		case problem != nil:
		case errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil:
			app.WriteProblem(c.Response(), c.Request(), err)
			return nil
		default:
			log.ErrorContext(c.Request().Context(), "request failed", "route", c.Path(), "error", err)
			problem = unavailable()
		}
		app.WriteProblem(c.Response(), c.Request(), problem)
		return nil
	}
}

// reply writes a JSON object that holds a token or a nonce.
func reply(c echo.Context, v any) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return app.WriteJSON(c.Response(), http.StatusOK, v)
}
