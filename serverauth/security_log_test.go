package serverauth_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

func TestSecurityEvents(t *testing.T) {
	s, log := watched(t, map[string]any{
		"auto_create_admin": true, "admin_password": "correct horse", "fleet_mint_secret": fleetSecret,
		"refresh_grace_seconds": 0, "rate_limit_per_minute": 30,
	})
	const client = "127.0.0.1"
	w := newWallet(t, "Ed25519")
	in := s.signIn(w)
	log.expect(t, "sign_in", "INFO", map[string]any{"subject": w.Address, "algorithm": "Ed25519", "client": client})
	s.post("/sign-in", map[string]any{})
	log.expect(t, "sign_in_refused", "INFO", map[string]any{"code": "missing_field", "algorithm": "ML-DSA-65", "client": client})
	body := s.signInBody(w)
	body["signature"] = strings.Repeat("00", 64)
	s.post("/sign-in", body)
	log.expect(t, "sign_in_refused", "INFO", map[string]any{"code": "invalid_signature", "algorithm": "Ed25519", "client": client})

	login := map[string]any{"email": "admin@pico.local", "password": "wrong horse"}
	s.post("/login", login)
	log.expect(t, "login_refused", "INFO", map[string]any{"code": "invalid_credentials", "client": client})
	login["password"] = "correct horse"
	operator := s.post("/login", login).tokens(t).Access
	log.expect(t, "login", "INFO", map[string]any{"client": client})

	s.refresh("garbage")
	log.expect(t, "refresh_refused", "INFO", map[string]any{"code": "refresh_invalid", "client": client})
	next := s.refresh(s.refresh(in.Refresh).tokens(t).Refresh).tokens(t)
	s.refresh(in.Refresh)
	log.expect(t, "refresh_reused", "WARN", map[string]any{
		"code": "refresh_reused", "subject": w.Address, "sid": jwtPart(t, in.Access, 1)["sid"], "client": client,
	})
	assert.Len(t, log.events(t, "refresh_refused"), 1, "a reuse is an event of its own")
	other := s.signIn(w)
	s.post("/logout", map[string]any{"refresh_token": other.Refresh})
	log.expect(t, "logout", "INFO", map[string]any{"client": client})

	s.post("/revoke", map[string]any{"jti": "token-1"}, bearer(operator)...)
	log.expect(t, "revoked", "INFO", map[string]any{"jti": "token-1", "by": "admin@pico.local"})
	s.post("/revoke", map[string]any{"jti": "token-1"})
	log.expect(t, "access_refused", "INFO", map[string]any{"code": "token_required", "endpoint": "/api/v1/auth/revoke", "client": client})
	fleet := s.fleetToken("agent")
	log.expect(t, "fleet_session", "INFO", map[string]any{"jti": jwtPart(t, fleet, 1)["jti"], "role": "agent", "client": client})
	s.get("/keys", bearer(fleet)...)
	log.expect(t, "access_refused", "INFO", map[string]any{"code": "insufficient_role", "subject": "session-1", "endpoint": "/api/v1/auth/keys"})
	s.fleet(map[string]any{"session_id": "a", "agent_id": "b", "role": "king"})
	log.expect(t, "fleet_refused", "INFO", map[string]any{"code": "role_not_allowed", "client": client})
	s.get("/revoked-jtis", "X-Fleet-Secret", "secret guess")
	log.expect(t, "fleet_refused", "INFO", map[string]any{"code": "invalid_fleet_secret", "endpoint": "/api/v1/auth/revoked-jtis"})

	s.post("/keys/rotate", nil, bearer(operator)...)
	log.expect(t, "keys_rotated", "INFO", map[string]any{"state": "pending", "by": "admin@pico.local"})
	kid := jwtPart(t, operator, 0)["kid"].(string)
	s.post("/keys/"+kid+"/compromised", nil, bearer(operator)...)
	log.expect(t, "key_compromised", "WARN", map[string]any{"kid": kid, "by": "admin@pico.local"})
	log.expect(t, "signing_key_changed", "INFO", map[string]any{"before": kid, "alg": "EdDSA"})

	for range 40 {
		s.refresh("garbage")
	}
	log.expect(t, "rate_limited", "INFO", map[string]any{"code": "too_many_requests", "endpoint": "/refresh", "client": client})

	text := log.String()
	for _, private := range []string{
		"horse", fleetSecret, "secret guess", in.Access, in.Refresh, next.Access, other.Refresh, operator, fleet, body["challenge"].(string),
	} {
		assert.False(t, strings.Contains(text, private), private)
	}
}

func TestARefusalOfTheClaimsProviderIsAnEvent(t *testing.T) {
	provider := claimsFunc(func(_ context.Context, _ store.Subject) (serverauth.Claims, error) {
		return serverauth.Claims{}, fmt.Errorf("%w: no invoice", serverauth.ErrSubjectRefused)
	})
	s, log := watched(t, nil, testutil.WithClaimsProvider(provider))
	s.post("/sign-in", s.signInBody(newWallet(t, "Ed25519")))
	log.expect(t, "sign_in_refused", "INFO", map[string]any{"code": "subject_refused", "algorithm": "Ed25519"})
}

// The table in the doc comment is what operators go by.
func TestEverySecurityEventIsDocumented(t *testing.T) {
	source, err := os.ReadFile("internal/events/events.go")
	require.NoError(t, err)
	documented := make(map[string]bool)
	for _, row := range regexp.MustCompile(`(?m)^//\t([a-z_]+) +(?:INFO|WARN|ERROR) `).FindAllStringSubmatch(string(source), -1) {
		documented[row[1]] = true
	}
	named := map[string]bool{"signing_key_changed": true} // by the package keys
	parsed, err := parser.ParseFile(token.NewFileSet(), "internal/events/events.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			named[strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)] = true
		}
		return true
	})
	assert.Equal(t, named, documented)
}
