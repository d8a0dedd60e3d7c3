package testutil_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/testutil"
)

// What a handler sees is what it would see behind the middleware: each identity is put into a token and read back.
func TestAuthenticatedIsWhatATokenWouldBe(t *testing.T) {
	b := newFixture(t)
	for name, caller := range map[string]clientauth.SecurityContext{
		"nothing": {},
		"role":    {Role: "admin"},
		"roles":   {Roles: []string{"editor", "reader"}},
		"both":    {Role: "reader", Roles: []string{"editor", "reader"}},
		"everything": {Subject: "0xabc", Role: "wallet", Roles: []string{"wallet", "vip"}, Groups: []string{"g1", "g2"},
			Scopes: []string{"a:*", "b"}, SessionID: "s", TokenID: "t", ClientID: "c", WalletAddress: "0xabc", WalletID: "w",
			Account: "eip155:1:0xabc", Algorithm: "eip191", Claims: map[string]any{"level": 3, "tags": []string{"x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			caller.Issuer, caller.Audience, caller.IssuedAt = b.Name, []string{b.Audience, "more"}, epoch
			told, ok := clientauth.FromContext(testutil.Authenticated(t.Context(), caller))
			require.True(t, ok)
			token := b.Mint(testutil.Token{Claims: only(told.Claims)})
			read, err := b.Validate(t.Context(), token)
			require.NoError(t, err)
			assert.Equal(t, read, told)
		})
	}
}

func TestAuthenticatedAgentIsWhatATokenWouldBe(t *testing.T) {
	b := newFixture(t)
	for name, agent := range map[string]clientauth.AgentContext{
		"nothing": {},
		"everything": {Subject: "s", AgentID: "a", TaskType: "t", UserID: "u", SessionID: "se", ConversationID: "c", TaskID: "ta",
			OrganisationID: "o", Role: "r", Scopes: []string{"x:*"}, SpendLimit: "10.5", ParentChain: []string{"p", "q"},
			Claims: map[string]any{"iss": "kept"}},
	} {
		t.Run(name, func(t *testing.T) {
			told, ok := clientauth.AgentFromContext(testutil.AuthenticatedAgent(t.Context(), agent))
			require.True(t, ok)
			claims := only(told.Claims)
			claims["iss"], claims["aud"], claims["exp"] = b.Name, b.Audience, epoch.Add(time.Hour).Unix()
			read, err := b.ValidateAgent(t.Context(), b.Mint(testutil.Token{Claims: claims}))
			require.NoError(t, err)
			shown := *read
			shown.Claims = told.Claims
			assert.Equal(t, &shown, told)
		})
	}
}

// only removes what a token has by default.
func only(claims map[string]any) map[string]any {
	all := map[string]any{}
	for _, name := range []string{"sub", "role", "iss", "aud", "client_id", "jti", "sid", "iat", "nbf", "exp"} {
		all[name] = nil
	}
	for name, value := range claims {
		all[name] = value
	}
	return all
}

func TestTheAgentAndTheCallerStayTogether(t *testing.T) {
	ctx := testutil.Authenticated(t.Context(), clientauth.SecurityContext{Role: "service"})
	ctx = testutil.AuthenticatedAgent(ctx, clientauth.AgentContext{Scopes: []string{"treasury:*"}})
	require.NoError(t, clientauth.HasRole("service")(ctx))
	require.NoError(t, clientauth.HasScope("treasury:read")(ctx))
	assert.Error(t, clientauth.HasRole("admin")(ctx))
	assert.Error(t, clientauth.HasScope("admin:read")(ctx))
}

func TestAuthenticatedChangesNothingOfItsCaller(t *testing.T) {
	own := clientauth.SecurityContext{Role: "b", Roles: []string{"a", "b"}, Claims: map[string]any{"n": 1}}
	testutil.Authenticated(t.Context(), own)
	assert.Equal(t, []string{"a", "b"}, own.Roles)
	assert.Equal(t, map[string]any{"n": 1}, own.Claims)
	assert.Panics(t, func() {
		testutil.Authenticated(t.Context(), clientauth.SecurityContext{Claims: map[string]any{"f": func() {}}})
	})
}
