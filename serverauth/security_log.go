package serverauth

import (
	"context"
	"log/slog"
)

// Names of the security events: the messages of records that carry `event` with the same word. They are stable.
const (
	eventSignIn         = "sign_in"
	eventSignInRefused  = "sign_in_refused"
	eventLogin          = "login"
	eventLoginRefused   = "login_refused"
	eventRefreshRefused = "refresh_refused"
	eventLogout         = "logout"
	eventRevoked        = "revoked"
	eventFleetSession   = "fleet_session"
	eventFleetRefused   = "fleet_refused"
	eventKeysRotated    = "keys_rotated"
	eventKeyCompromised = "key_compromised"
	eventRateLimited    = "rate_limited"
)

// securityEvent logs what an operator watches for. It never holds a token, a signature, a nonce or a password.
func securityEvent(ctx context.Context, log *slog.Logger, event string, attributes ...any) {
	log.InfoContext(ctx, event, append([]any{"event", event}, attributes...)...)
}
