package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

func TestEveryAlgorithmIsAccepted(t *testing.T) {
	c := newClock()
	for _, alg := range jose.Algorithms() {
		s := signers()[alg]
		v := newValidator(t, trusting(c, s))
		caller, err := v.Validate(context.Background(), s.Token(claims(nil)))
		if err != nil || caller.Subject != "alice" {
			t.Errorf("%s: %v, %v", alg, caller, err)
		}
	}
	// EdDSA and Ed25519 are one algorithm: a key that declares one verifies the other.
	s := signers()[jose.EdDSA]
	cfg := trusting(c, s)
	cfg.Issuers[0].Algorithms = []string{jose.Ed25519}
	if _, err := newValidator(t, cfg).Validate(context.Background(), s.Sign(s.Header(object{"alg": jose.Ed25519}), claims(nil))); err != nil {
		t.Error(err)
	}
}

func TestWhatATokenTells(t *testing.T) {
	s := signers()[jose.EdDSA]
	v := newValidator(t, trusting(newClock(), s))
	caller, err := v.Validate(context.Background(), s.Token(claims(object{
		"aud": []string{"other", audience}, "role": "wallet", "roles": []string{"wallet", "editor"}, "groups": []any{"g1", 7, "g2"},
		"scope": "read  write", "wallet_address": "0xAb", "wallet_id": "thumb", "wallet_kind": "contract", "account": "eip155:1:0xAb", "algorithm": "eip191", "client_id": "web",
		"tenant": object{"id": 7}, "email": "alice@example.com", "org_id": "org-1",
	})))
	if err != nil {
		t.Fatal(err)
	}
	want := &verify.SecurityContext{
		Subject: "alice", Issuer: issuerName, Audience: []string{"other", audience}, Role: "wallet", Roles: []string{"wallet", "editor"},
		Groups: []string{"g1", "g2"}, Scopes: []string{"read", "write"}, SessionID: "session-1", TokenID: "token-1", ClientID: "web",
		WalletAddress: "0xAb", WalletID: "thumb", WalletKind: "contract", Account: "eip155:1:0xAb", Algorithm: "eip191",
		Email: "alice@example.com", OrganisationID: "org-1", IssuedAt: epoch, ExpiresAt: epoch.Add(15 * time.Minute), Claims: caller.Claims,
	}
	if !reflect.DeepEqual(caller, want) {
		t.Errorf("got  %+v\nwant %+v", caller, want)
	}
	if tenant, _ := caller.Claims["tenant"].(map[string]any); tenant["id"] != 7.0 {
		t.Errorf("claims: %v", caller.Claims)
	}
	if !caller.HasRole("x", "editor") || caller.HasRole("x") || caller.HasRole() || !caller.HasGroup("g2") || !caller.HasScope("read") || caller.HasScope("readx") {
		t.Error("HasRole, HasGroup or HasScope is wrong")
	}
}

func TestTokensAtTheEdgeOfTheRules(t *testing.T) {
	s := signers()[jose.EdDSA]
	header := string(must(json.Marshal(s.Header(nil))))
	body := strings.TrimSuffix(string(must(json.Marshal(claims(object{"exp": nil})))), "}")
	now := epoch.Unix()
	for name, token := range map[string]string{
		"aud list":           s.Token(claims(object{"aud": []string{"a", audience}})),
		"typ absent":         s.Sign(s.Header(object{"typ": nil}), claims(nil)),
		"typ JWT":            s.Sign(s.Header(object{"typ": "JWT"}), claims(nil)),
		"typ jwt":            s.Sign(s.Header(object{"typ": "jwt"}), claims(nil)),
		"typ upper":          s.Sign(s.Header(object{"typ": "AT+JWT"}), claims(nil)),
		"typ long":           s.Sign(s.Header(object{"typ": "application/at+jwt"}), claims(nil)),
		"typ long and upper": s.Sign(s.Header(object{"typ": "Application/AT+JWT"}), claims(nil)),
		"type access":        s.Token(claims(object{"type": "access"})),
		"no kid":             s.Sign(s.Header(object{"kid": nil}), claims(nil)),
		"header extras":      s.Sign(s.Header(object{"x5t": "AAAA", "cty": "x", "jku": "https://elsewhere.example"}), claims(nil)),
		"no nbf, iat, jti":   s.Token(claims(object{"nbf": nil, "iat": nil, "jti": nil, "sid": nil, "role": nil})),
		"null jti":           s.Token(claims(object{"jti": json.RawMessage("null")})),
		"exp within leeway":  s.Token(claims(object{"exp": now - 29})),
		"nbf within leeway":  s.Token(claims(object{"nbf": now + 30})),
		"iat within leeway":  s.Token(claims(object{"iat": now + 30})),
		"exp fraction":       s.Raw(header, body+`,"exp":1999999999.75}`),
		"exp exponent":       s.Raw(header, body+`,"exp":1.9e9}`),
		"exp enormous":       s.Raw(header, body+`,"exp":1e300}`),
		"white space":        s.Raw(" "+header+"\n", "\t"+body+` , "exp" : 1999999999 } `),
		"escapes":            s.Raw(header, body+`,"exp":1999999999,"x":"\ud83d\ude00\n"}`),
	} {
		v := newValidator(t, trusting(newClock(), s))
		if caller, err := v.Validate(context.Background(), token); err != nil || caller.Subject != "alice" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequireTyp(t *testing.T) {
	s := signers()[jose.EdDSA]
	cfg := trusting(newClock(), s)
	cfg.RequireTyp = true
	v := newValidator(t, cfg)
	for typ, want := range map[any]error{"at+jwt": nil, "application/AT+JWT": nil, "JWT": verify.ErrTokenType, nil: verify.ErrTokenType} {
		if _, err := v.Validate(context.Background(), s.Sign(s.Header(object{"typ": typ}), claims(nil))); !errors.Is(err, want) {
			t.Errorf("typ %v: %v", typ, err)
		}
	}
}

func TestAKeylessTokenNeedsExactlyOneKey(t *testing.T) {
	one, two := fresh(jose.EdDSA), fresh(jose.EdDSA)
	other := signers()[jose.ES256]
	token := one.Sign(one.Header(object{"kid": nil}), claims(nil))
	if _, err := newValidator(t, trusting(newClock(), one, other)).Validate(context.Background(), token); err != nil {
		t.Error(err)
	}
	if _, err := newValidator(t, trusting(newClock(), one, two)).Validate(context.Background(), token); !errors.Is(err, verify.ErrUnknownKey) {
		t.Error(err)
	}
	cfg := trusting(newClock(), other)
	cfg.Issuers[0].Algorithms = append(cfg.Issuers[0].Algorithms, jose.EdDSA)
	if _, err := newValidator(t, cfg).Validate(context.Background(), token); !errors.Is(err, verify.ErrUnknownKey) {
		t.Error(err)
	}
}

func TestIssuersKeepApart(t *testing.T) {
	c := newClock()
	first, second := fresh(jose.EdDSA), fresh(jose.ES256)
	cfg := trusting(c, first)
	cfg.Issuers = append(cfg.Issuers, verify.TrustedIssuer{Issuer: "https://two.example", Audience: "two", Algorithms: []string{jose.ES256}, Keys: keysOf(second)})
	v := newValidator(t, cfg)
	two := object{"iss": "https://two.example", "aud": "two"}
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"first":                       {first.Token(claims(nil)), nil},
		"second":                      {second.Token(claims(two)), nil},
		"second with first's key":     {first.Token(claims(two)), verify.ErrUnsupportedAlgorithm},
		"first with second's key":     {second.Token(claims(nil)), verify.ErrUnsupportedAlgorithm},
		"second for first's audience": {second.Token(claims(with(two, object{"aud": audience}))), verify.ErrWrongAudience},
		"stolen kid":                  {second.Sign(second.Header(object{"kid": first.Key.ID}), claims(two)), verify.ErrUnknownKey},
	} {
		if _, err := v.Validate(context.Background(), test.token); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidatorConfigIsChecked(t *testing.T) {
	good := trusting(newClock(), signers()[jose.EdDSA])
	for name, change := range map[string]func(*verify.ValidatorConfig){
		"no issuer":       func(c *verify.ValidatorConfig) { c.Issuers = nil },
		"issuer empty":    func(c *verify.ValidatorConfig) { c.Issuers[0].Issuer = "" },
		"audience empty":  func(c *verify.ValidatorConfig) { c.Issuers[0].Audience = "" },
		"no keys":         func(c *verify.ValidatorConfig) { c.Issuers[0].Keys = nil },
		"HS256":           func(c *verify.ValidatorConfig) { c.Issuers[0].Algorithms = []string{"HS256"} },
		"none":            func(c *verify.ValidatorConfig) { c.Issuers[0].Algorithms = []string{"none"} },
		"twice":           func(c *verify.ValidatorConfig) { c.Issuers = append(c.Issuers, c.Issuers[0]) },
		"negative leeway": func(c *verify.ValidatorConfig) { c.Leeway = -time.Second },
		"negative cache":  func(c *verify.ValidatorConfig) { c.CacheSize = -1 },
	} {
		cfg := good
		cfg.Issuers = append([]verify.TrustedIssuer{}, good.Issuers...)
		change(&cfg)
		if _, err := verify.NewTokenValidator(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAllInvalidIssuersAreNamed(t *testing.T) {
	good := trusting(newClock(), signers()[jose.EdDSA]).Issuers[0]
	first, second := good, good
	first.Issuer, first.Audience = "https://first.example", ""
	second.Issuer, second.Keys = "https://second.example", nil
	_, err := verify.NewTokenValidator(verify.ValidatorConfig{Issuers: []verify.TrustedIssuer{first, good, second, good}, Leeway: -time.Second})
	for _, want := range []string{`"https://first.example" has no Audience`, `"https://second.example" has no Keys`, "trusted twice", "leeway"} {
		if err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestDenylistedTokensAreRefused(t *testing.T) {
	c := newClock()
	s := signers()[jose.EdDSA]
	for name, item := range map[string]verify.Revocation{
		"jti": {JTI: "token-1"}, "sid": {SID: "session-1"}, "sub": {Sub: "alice", RevokedAt: epoch.Unix()},
		"wallet": {Sub: "thumb", RevokedAt: epoch.Unix()}, "kid": {KID: s.Key.ID},
	} {
		index := verify.NewRevocationIndex()
		cfg := trusting(c, s)
		cfg.Issuers[0].Denylist = index
		v := newValidator(t, cfg)
		token := s.Token(claims(object{"wallet_id": "thumb"}))
		for range 2 {
			if _, err := v.Validate(context.Background(), token); err != nil {
				t.Fatal(err)
			}
		}
		index.Apply(item)
		if _, err := v.Validate(context.Background(), token); !errors.Is(err, verify.ErrTokenRevoked) {
			t.Errorf("%s, cached: %v", name, err)
		}
		unseen := s.Token(claims(object{"wallet_id": "thumb", "x": name}))
		if _, err := v.Validate(context.Background(), unseen); !errors.Is(err, verify.ErrTokenRevoked) {
			t.Errorf("%s, not cached: %v", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Denied(context.Context, verify.TokenRef) (bool, error)  { return false, f.err }
func (f failing) Key(context.Context, string, string) (*jose.Key, error) { return nil, f.err }
func (f failing) ResolveRoles(context.Context, *verify.SecurityContext) ([]string, error) {
	return nil, f.err
}

func TestWhatCannotBeSaidIsUnavailable(t *testing.T) {
	s := signers()[jose.EdDSA]
	trouble := failing{errors.New("trouble")}
	for name, test := range map[string]struct {
		change func(*verify.ValidatorConfig)
		want   error
	}{
		"denylist": {func(c *verify.ValidatorConfig) { c.Issuers[0].Denylist = trouble }, verify.ErrDenylistUnavailable},
		"keys":     {func(c *verify.ValidatorConfig) { c.Issuers[0].Keys = trouble }, verify.ErrKeysUnavailable},
		"roles":    {func(c *verify.ValidatorConfig) { c.Roles = trouble }, verify.ErrRolesUnavailable},
	} {
		cfg := trusting(newClock(), s)
		test.change(&cfg)
		v := newValidator(t, cfg)
		for range 2 {
			caller, err := v.Validate(context.Background(), s.Token(claims(nil)))
			if caller != nil || !errors.Is(err, test.want) || !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrInvalidToken) {
				t.Errorf("%s: %v, %v", name, caller, err)
			}
		}
	}
}

type databaseRoles struct{ roles map[string][]string }

func (d *databaseRoles) ResolveRoles(_ context.Context, caller *verify.SecurityContext) ([]string, error) {
	return d.roles[caller.Subject], nil
}

func TestARoleResolverIsAskedEveryTime(t *testing.T) {
	s := signers()[jose.EdDSA]
	roles := &databaseRoles{map[string][]string{"alice": {"boss", "editor"}}}
	cfg := trusting(newClock(), s)
	cfg.Roles = roles
	v := newValidator(t, cfg)
	token := s.Token(claims(object{"role": "admin"}))
	first, err := v.Validate(context.Background(), token)
	if err != nil || first.Role != "boss" || first.HasRole("admin") || !first.HasRole("editor") {
		t.Fatalf("%+v, %v", first, err)
	}
	roles.roles = nil
	second, err := v.Validate(context.Background(), token)
	if err != nil || second.Role != "" || len(second.Roles) != 0 || first.Role != "boss" {
		t.Errorf("%+v, %v", second, err)
	}
}

func TestAgents(t *testing.T) {
	s := signers()[jose.EdDSA]
	v := newValidator(t, trusting(newClock(), s))
	token := s.Token(claims(object{
		"sub": "agent-42", "agent_id": "buyer", "task_type": "purchase", "user_id": "cfo", "session_id": "s", "conversation_id": "c", "task_id": "t",
		"org_id": "acme", "role": "purchaser", "scopes": []string{"wallet:pay:*"}, "spend_limit": "1000.00", "parent_chain": []string{"head", "buyer"},
	}))
	agent, err := v.ValidateAgent(context.Background(), token)
	if err != nil {
		t.Fatal(err)
	}
	want := &verify.AgentContext{Subject: "agent-42", AgentID: "buyer", TaskType: "purchase", UserID: "cfo", SessionID: "s", ConversationID: "c",
		TaskID: "t", OrganisationID: "acme", Role: "purchaser", Scopes: []string{"wallet:pay:*"}, SpendLimit: "1000.00",
		ParentChain: []string{"head", "buyer"}, Claims: agent.Claims}
	if !reflect.DeepEqual(agent, want) || agent.Claims["iss"] != issuerName {
		t.Errorf("got  %+v\nwant %+v", agent, want)
	}
	for name, one := range map[string]object{"agent_id": {"agent_id": "a"}, "task_type": {"task_type": "x"}, "scopes": {"scopes": []string{"a"}}} {
		if _, err := v.ValidateAgent(context.Background(), s.Token(claims(one))); err != nil {
			t.Errorf("%s makes an agent: %v", name, err)
		}
	}
	fleet, err := v.ValidateAgent(context.Background(), s.Token(claims(object{"agent_id": "a", "scope": "x:y z", "spend_limit": 12.5})))
	if err != nil || !reflect.DeepEqual(fleet.Scopes, []string{"x:y", "z"}) || fleet.SessionID != "session-1" || fleet.SpendLimit != "12.5" {
		t.Errorf("%+v, %v", fleet, err)
	}
	for name, c := range map[string]object{"wallet": claims(nil), "admin": claims(object{"role": "admin", "scope": "all"}), "null": claims(object{"agent_id": json.RawMessage("null")})} {
		if _, err := v.ValidateAgent(context.Background(), s.Token(c)); !errors.Is(err, verify.ErrNotAnAgent) {
			t.Errorf("%s token: %v", name, err)
		}
	}
}

func TestScopeCovers(t *testing.T) {
	for _, test := range []struct {
		granted, required string
		want              bool
	}{
		{"treasury:read", "treasury:read", true},
		{"treasury:*", "treasury:write:opex", true},
		{"treasury:*", "treasury:read", true},
		{"treasury:*", "treasury", true},
		{"treasury:*", "treasury:*", true},
		{"treasury:write:*", "treasury:write:opex", true},
		{"*", "anything:at:all", true},
		{"*", "", true},
		{"treasury:*", "treasuryx", false},
		{"treasury:*", "treasuryx:read", false},
		{"treasury:write:*", "treasury:read", false},
		{"treasury:*:opex", "treasury:write:opex", false},
		{"treasury*", "treasury:read", false},
		{"treasury", "treasury:read", false},
		{"treasury:read", "treasury:*", false},
		{"treasury:read", "*", false},
		{":*", "anything", false},
		{":*", ":anything", false},
		{"**", "a", false},
		{"*:a", "b:a", false},
		{"", "a", false},
		{"Treasury:*", "treasury:read", false},
	} {
		if got := verify.ScopeCovers(test.granted, test.required); got != test.want {
			t.Errorf("ScopeCovers(%q, %q) = %v", test.granted, test.required, got)
		}
	}
}
