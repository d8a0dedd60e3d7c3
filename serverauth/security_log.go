package serverauth

import (
	"context"
	"log/slog"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

// Security events are the records of the app's slog.Logger that an operator, or a rule of theirs, watches for. The message
// of each is its name, which is also in the attribute event. Names, and the code of a refusal (that of the problem that
// was answered), are stable. A client is an IP address, subject and by are the claim sub of a token. There is never a
// token, a signature, a nonce, a password or a secret in one.
//
//	event                level  when                                                     attributes
//	sign_in              INFO   a wallet signed in                                       subject algorithm client
//	sign_in_refused      INFO   and did not                                              code algorithm client
//	login                INFO   the administrator logged in with the password            client
//	login_refused        INFO   somebody did not                                         code client
//	refresh_refused      INFO   a refresh token was not accepted                         code client
//	refresh_reused       WARN   one was used again: it was stolen, the session has ended code subject sid client
//	logout               INFO   a session was ended by its holder                        client
//	revoked              INFO   an operator ended a token, a session or a subject        jti sid sub by
//	fleet_session        INFO   a token was minted for a holder of the fleet secret      jti role client
//	fleet_refused        INFO   a request with or without the secret was refused         code client [endpoint]
//	access_refused       INFO   an operator's endpoint was asked without the right token code client endpoint [subject]
//	rate_limited         INFO   a client asked too often                                 code client endpoint
//	keys_rotated         INFO   an operator had the keys rotated                         kid state by
//	key_compromised      WARN   an operator had a key removed                            kid by
//	signing_key_changed  INFO   another key signs from now on, in this process           kid alg before
//	denylist_reset       ERROR  the store has forgotten revocations, this process not    known stored
//	audit_head           INFO   the mint audit has grown: keep it to find a cut later    seq mac
//	audit_verified       INFO   the mint audit is whole                                  seq mac mints lost pruned
//	audit_gap            ERROR  mints were lost because the store was away               lost stored [error]
//	audit_broken         ERROR  the mint audit was tampered with                         error
const (
	eventSignIn         = "sign_in"
	eventSignInRefused  = "sign_in_refused"
	eventLogin          = "login"
	eventLoginRefused   = "login_refused"
	eventRefreshRefused = "refresh_refused"
	eventRefreshReused  = "refresh_reused"
	eventLogout         = "logout"
	eventRevoked        = "revoked"
	eventFleetSession   = "fleet_session"
	eventFleetRefused   = "fleet_refused"
	eventAccessRefused  = "access_refused"
	eventRateLimited    = "rate_limited"
	eventKeysRotated    = "keys_rotated"
	eventKeyCompromised = "key_compromised"
	eventDenylistReset  = "denylist_reset"
)

// securityEvent logs what an operator may want to know.
func securityEvent(ctx context.Context, log *slog.Logger, event string, attributes ...any) {
	log.InfoContext(ctx, event, append([]any{"event", event}, attributes...)...)
}

// securityAlarm logs what an operator must look at.
func securityAlarm(ctx context.Context, log *slog.Logger, event string, attributes ...any) {
	log.WarnContext(ctx, event, append([]any{"event", event}, attributes...)...)
}

// refusalEvent logs that a request was refused. What is the server's fault is no refusal.
func refusalEvent(c echo.Context, log *slog.Logger, event string, err error, attributes ...any) {
	if problem := problemOf(err); problem != nil && problem.Status < 500 {
		attributes = append([]any{"code", problem.Code, "client", app.ClientIP(c)}, attributes...)
		securityEvent(c.Request().Context(), log, event, attributes...)
	}
}

// rateLimited logs and counts a request of a client that asks too often, and returns the answer.
func rateLimited(c echo.Context, log *slog.Logger, metrics *Instruments, endpoint string, retryAfter time.Duration) error {
	problem := tooManyRequests(retryAfter)
	metrics.limited(endpoint)
	refusalEvent(c, log, eventRateLimited, problem, "endpoint", endpoint)
	return problem
}
