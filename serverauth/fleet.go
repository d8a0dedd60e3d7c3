package serverauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/token"
)

const (
	fleetSessions     = "/fleet/sessions"
	fleetSecretHeader = "X-Fleet-Secret"
	defaultFleetRole  = "agent"
	minFleetTTL       = time.Minute
)

// fleetFlow issues tokens for agents that another system runs. That system authenticates with a shared secret.
type fleetFlow struct {
	*parts
	settings ServerAuthSettings
	schemes  []WalletScheme // of the app; a session id must not be an address of one
}

type fleetReply struct {
	SessionToken string `json:"session_token"`
	TokenType    string `json:"token_type"`
	ExpiresAt    int64  `json:"exp"` // Unix seconds
}

// mint is POST /fleet/sessions. Requests with the right secret have a rate limit of their own, which requests with a
// wrong secret do not use up.
func (f *fleetFlow) mint(c echo.Context) error {
	if err := f.guard.fleet(c); err != nil {
		return err
	}
	key := clientKey(c, fleetSessions)
	key.Holder = "fleet secret"
	return f.limits.within(c, key, func() error { return f.minted(c) })
}

func (f *fleetFlow) minted(c echo.Context) error {
	answer, mint, err := f.exchange(c)
	if err != nil {
		f.metrics.refusedFleet(err)
		refusalEvent(c, f.log, events.FleetRefused, err)
		return err
	}
	events.Log(c.Request().Context(), f.log, events.FleetSession, "jti", mint.ID, "role", mint.Role, "client", app.ClientIP(c))
	return reply(c, answer)
}

func (f *fleetFlow) exchange(c echo.Context) (answer fleetReply, mint audit.Mint, err error) {
	var request fleetRequest
	if err := app.DecodeJSON(c.Response(), c.Request(), &request); err != nil {
		return answer, mint, err
	}
	if err := f.check(&request); err != nil {
		return answer, mint, err
	}
	ctx, leave, err := f.admission.enter(c.Request().Context())
	if err != nil {
		return answer, mint, err
	}
	defer leave()
	proof, err := f.proofs.Read(c.Request())
	if err != nil {
		return answer, mint, err
	}
	if err := proof.Spend(ctx); err != nil {
		return answer, mint, err
	}
	asked := request.token(f.ttl(request.TTL))
	asked.KeyThumbprint = proof.Key()
	answer.SessionToken, mint, err = f.sessions.IssueFleet(ctx, asked)
	answer.TokenType, answer.ExpiresAt = token.TypeOf(asked.KeyThumbprint), mint.ExpiresAt
	return answer, mint, err
}

var errFleetSessionRevoked = app.NewProblem(http.StatusForbidden, "session_revoked", "session is revoked")

func (f *fleetFlow) ttl(seconds wholeSeconds) time.Duration {
	if seconds == 0 {
		return min(f.settings.FleetSessionTTL(), f.settings.FleetMaxTTL())
	}
	// The limits are compared in seconds, because a large number would overflow a time.Duration.
	most := wholeSeconds(f.settings.FleetMaxTTL() / time.Second)
	return time.Duration(min(max(seconds, wholeSeconds(minFleetTTL/time.Second)), most)) * time.Second
}

var (
	errFleetSecret   = app.NewProblem(http.StatusUnauthorized, "invalid_fleet_secret", "invalid X-Fleet-Secret")
	errFleetDisabled = app.NewProblem(http.StatusNotFound, "fleet_disabled", "fleet sessions are not configured")
)

// hasFleetSecret compares the header with the secret in constant time. An unset secret matches no header.
func hasFleetSecret(r *http.Request, secret string) bool {
	got, want := sha256.Sum256([]byte(r.Header.Get(fleetSecretHeader))), sha256.Sum256([]byte(secret))
	return secret != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
