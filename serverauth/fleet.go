package serverauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

const (
	fleetSecretHeader = "X-Fleet-Secret"
	defaultFleetRole  = "agent"
	minFleetTTL       = time.Minute
	maxFleetIDLength  = 256
	// maxFleetScopeLength keeps the token below what validators read.
	maxFleetScopeLength = 1024
)

// fleetFlow mints tokens for agents that another system runs and vouches for by a shared secret.
type fleetFlow struct {
	settings ServerAuthSettings
	sessions *SessionService
	metrics  *Instruments
	log      *slog.Logger
}

type fleetRequest struct {
	SessionID string `json:"session_id"`
	AgentID   string `json:"agent_id"`
	Role      string `json:"role"`
	TTL       int64  `json:"ttl"` // seconds
	Scope     string `json:"scope"`
}

type fleetReply struct {
	SessionToken string `json:"session_token"`
	ExpiresAt    int64  `json:"exp"` // Unix seconds
}

// mint is POST /fleet/sessions.
func (f *fleetFlow) mint(c echo.Context) error {
	token, mint, err := f.exchange(c)
	if err != nil {
		f.metrics.refusedFleet(err)
		refusalEvent(c, f.log, eventFleetRefused, err)
		return err
	}
	securityEvent(c.Request().Context(), f.log, eventFleetSession, "jti", mint.ID, "role", mint.Role, "client", app.ClientIP(c))
	return reply(c, fleetReply{SessionToken: token, ExpiresAt: mint.ExpiresAt})
}

func (f *fleetFlow) exchange(c echo.Context) (string, Mint, error) {
	if f.settings.FleetMintSecret == "" {
		return "", Mint{}, app.NewProblem(http.StatusNotFound, "fleet_disabled", "fleet sessions are not configured")
	}
	if !hasFleetSecret(c.Request(), f.settings.FleetMintSecret) {
		return "", Mint{}, errFleetSecret
	}
	var request fleetRequest
	if err := app.DecodeJSON(c.Response(), c.Request(), &request); err != nil {
		return "", Mint{}, err
	}
	if err := f.check(&request); err != nil {
		return "", Mint{}, err
	}
	return f.sessions.issueFleet(c.Request().Context(), AccessTokenRequest{
		Subject: request.SessionID, SessionID: request.SessionID, Role: request.Role, Scope: request.Scope,
		TTL: f.ttl(request.TTL), Kind: KindFleet, AgentID: request.AgentID,
	})
}

// issueFleet issues a token and looks whether it is revoked already: a session by its name may be, for as long as a
// token of it could live, and its subject may be in this very second.
func (s *SessionService) issueFleet(ctx context.Context, r AccessTokenRequest) (string, Mint, error) {
	for range maxStartTries {
		r.IssuedAt = s.now()
		denied, err := s.denylist.Denied(ctx, clientauth.TokenRef{SessionID: r.SessionID})
		if err != nil {
			return "", Mint{}, err
		}
		if denied {
			return "", Mint{}, errFleetSessionRevoked
		}
		token, mint, err := s.issuer.issue(ctx, r)
		if err != nil {
			return "", Mint{}, err
		}
		denied, err = s.denylist.Denied(ctx, clientauth.TokenRef{
			ID: mint.ID, SessionID: mint.SessionID, Subject: mint.Subject, IssuedAt: mint.IssuedAt,
		})
		if err != nil {
			return "", Mint{}, err
		}
		if !denied {
			return token, mint, nil
		}
		if _, err := s.beginAfter(ctx, r.IssuedAt.Truncate(time.Second).Add(time.Second)); err != nil {
			return "", Mint{}, err
		}
	}
	return "", Mint{}, errFleetSessionRevoked
}

var errFleetSessionRevoked = app.NewProblem(http.StatusForbidden, "session_revoked", "session is revoked")

func (f *fleetFlow) check(r *fleetRequest) error {
	if r.Role == "" {
		r.Role = defaultFleetRole
	}
	switch {
	case r.SessionID == "" || r.AgentID == "":
		return app.NewProblem(http.StatusBadRequest, "missing_field", "session_id and agent_id required")
	case !isFleetID(r.SessionID) || !isFleetID(r.AgentID):
		return app.NewProblem(http.StatusBadRequest, "invalid_field", "session_id and agent_id are at most 256 printable ASCII characters without spaces")
	case len(r.Scope) > maxFleetScopeLength || !isPrintable(r.Scope, ' '):
		return app.NewProblem(http.StatusBadRequest, "invalid_field", "scope is at most 1024 printable ASCII characters")
	case namesSomebodyElse(r.SessionID), strings.EqualFold(r.SessionID, f.settings.AdminEmail):
		return app.NewProblem(http.StatusBadRequest, "invalid_session_id",
			"session_id must not have the shape of an e-mail or a wallet address")
	case !slices.Contains(f.settings.FleetRoles, r.Role):
		return app.NewProblem(http.StatusForbidden, "role_not_allowed", "role is not among fleet_roles")
	default:
		return nil
	}
}

func (f *fleetFlow) ttl(seconds int64) time.Duration {
	if seconds == 0 {
		return min(f.settings.FleetSessionTTL(), f.settings.FleetMaxTTL())
	}
	// The bounds are compared in seconds: as a duration a large number would overflow.
	most := int64(f.settings.FleetMaxTTL() / time.Second)
	return time.Duration(min(max(seconds, int64(minFleetTTL/time.Second)), most)) * time.Second
}

func isFleetID(id string) bool { return len(id) <= maxFleetIDLength && isPrintable(id, '!') }

// isPrintable reports whether text is ASCII from the given character to the tilde.
func isPrintable(text string, from byte) bool {
	for i := range len(text) {
		if text[i] < from || text[i] > '~' {
			return false
		}
	}
	return true
}

// namesSomebodyElse tells whether a session's name, which becomes a `sub`, could be taken for that of a person: an
// e-mail, a wallet address, alone or as a CAIP-10 account, or the thumbprint that is the address of an ML-DSA wallet.
func namesSomebodyElse(id string) bool {
	if strings.HasPrefix(id, wallet.NamespaceEthereum+":") || strings.HasPrefix(id, wallet.NamespaceSolana+":") {
		id = id[strings.LastIndexByte(id, ':')+1:]
	}
	if strings.HasPrefix(id, "0X") {
		id = "0x" + id[2:]
	}
	if strings.Contains(id, "@") || wallet.KindOf(id) != wallet.Raw || wallet.HoldsKey(id) {
		return true
	}
	thumbprint, err := base64.RawURLEncoding.DecodeString(id)
	return err == nil && len(thumbprint) == sha256.Size
}

var errFleetSecret = app.NewProblem(http.StatusUnauthorized, "invalid_fleet_secret", "invalid X-Fleet-Secret")

// hasFleetSecret compares in a time that depends on neither secret. An unset secret matches no header.
func hasFleetSecret(r *http.Request, secret string) bool {
	got, want := sha256.Sum256([]byte(r.Header.Get(fleetSecretHeader))), sha256.Sum256([]byte(secret))
	return secret != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
