package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// judge validates claims under a rule of the issuer.
func judge(t *testing.T, rule func(*verify.TrustedIssuer), changes object) (*verify.SecurityContext, error) {
	t.Helper()
	c, s := newClock(), signers()[jose.EdDSA]
	cfg := trusting(c, s)
	rule(&cfg.Issuers[0])
	return newValidator(t, cfg).Validate(context.Background(), s.Token(claims(changes)))
}

func TestRulesOfAnIssuer(t *testing.T) {
	type rule = func(*verify.TrustedIssuer)
	plain := func(*verify.TrustedIssuer) {}
	several := func(i *verify.TrustedIssuer) { i.Audiences = []string{"other", "third"} }
	byClient := func(i *verify.TrustedIssuer) { i.Audience, i.AudienceClaim = "web", "azp" }
	requires := func(path, value string) rule {
		return func(i *verify.TrustedIssuer) { i.RequiredClaims = map[string]string{path: value} }
	}
	tenants := func(names ...string) rule {
		return func(i *verify.TrustedIssuer) { i.Issuer, i.Tenants = "https://login.example.com/{tenant}/v2.0", names }
	}
	of := func(name, tid string) object {
		return object{"iss": "https://login.example.com/" + name + "/v2.0", "tid": tid}
	}
	subject := func(i *verify.TrustedIssuer) { i.SubjectClaim = "oid" }
	for name, test := range map[string]struct {
		rule   rule
		claims object
		want   error
	}{
		"one of several audiences":           {several, object{"aud": "third"}, nil},
		"one of several, in a list":          {several, object{"aud": []string{"x", "other"}}, nil},
		"none of several audiences":          {several, object{"aud": []string{"x"}}, verify.ErrWrongAudience},
		"an empty audience is none":          {several, object{"aud": ""}, verify.ErrWrongAudience},
		"azp":                                {byClient, object{"azp": "web", "aud": nil}, nil},
		"azp of another":                     {byClient, object{"azp": "x", "aud": "web"}, verify.ErrWrongAudience},
		"no azp":                             {byClient, object{"aud": "web"}, verify.ErrMalformedToken},
		"azp is an object":                   {byClient, object{"azp": object{"web": 1}}, verify.ErrMalformedToken},
		"required text":                      {requires("token_use", "access"), object{"token_use": "access"}, nil},
		"required text, absent":              {requires("use", "access"), nil, verify.ErrMissingClaim},
		"required text, null":                {requires("use", "access"), object{"use": nil}, verify.ErrMissingClaim},
		"required text, other case":          {requires("use", "access"), object{"use": "Access"}, verify.ErrMissingClaim},
		"required number":                    {requires("acr", "2"), object{"acr": 2}, nil},
		"required number, a fraction":        {requires("acr", "2"), object{"acr": 2.5}, verify.ErrMissingClaim},
		"required boolean":                   {requires("ok", "true"), object{"ok": true}, nil},
		"required boolean, false":            {requires("ok", "true"), object{"ok": false}, verify.ErrMissingClaim},
		"required, in a list":                {requires("amr", "mfa"), object{"amr": []any{1, "pwd", "mfa"}}, nil},
		"required, not in the list":          {requires("amr", "mfa"), object{"amr": []any{"pwd", []string{"mfa"}}}, verify.ErrMissingClaim},
		"required, an object":                {requires("a", "map[b:c]"), object{"a": object{"b": "c"}}, verify.ErrMissingClaim},
		"required at a path":                 {requires("a.b.c", "d"), object{"a": object{"b": object{"c": "d"}}}, nil},
		"required at a path with dots":       {requires("a.b.c", "d"), object{"a.b": object{"c": "d"}, "a": object{"b": "x"}}, nil},
		"required, the whole path is a name": {requires("a.b.c", "d"), object{"a.b.c": "x", "a": object{"b": object{"c": "d"}}}, verify.ErrMissingClaim},
		"a tenant":                           {tenants("t1", "t2"), of("t2", "t2"), nil},
		"any tenant":                         {tenants("*"), of("t9", "t9"), nil},
		"a tenant that is not listed":        {tenants("t1"), of("t2", "t2"), verify.ErrUnknownIssuer},
		"tid of another tenant":              {tenants("*"), of("t1", "t2"), verify.ErrUnknownIssuer},
		"no tid":                             {tenants("*"), with(of("t1", ""), object{"tid": nil}), verify.ErrUnknownIssuer},
		"no tenant in iss":                   {tenants("*"), of("", ""), verify.ErrUnknownIssuer},
		"two segments":                       {tenants("*"), of("t1/x", "t1/x"), verify.ErrUnknownIssuer},
		"a query in the tenant":              {tenants("*"), of("t1?", "t1?"), verify.ErrUnknownIssuer},
		"the pattern itself":                 {tenants("*"), of("{tenant}", ""), verify.ErrUnknownIssuer},
		"a host that begins alike":           {tenants("*"), object{"iss": "https://login.example.com.evil.example/t1/v2.0", "tid": "t1"}, verify.ErrUnknownIssuer},
		"more behind the pattern":            {tenants("*"), object{"iss": "https://login.example.com/t1/v2.0/x", "tid": "t1"}, verify.ErrUnknownIssuer},
		"subject_claim":                      {subject, object{"oid": "o", "sub": nil}, nil},
		"subject_claim, absent":              {subject, nil, verify.ErrMalformedToken},
		"subject_claim, a number":            {subject, object{"oid": 1}, verify.ErrMalformedToken},
		"nonce without a scope":              {plain, object{"nonce": "n"}, verify.ErrTokenType},
		"nonce and an empty scope":           {plain, object{"nonce": "n", "scope": ""}, verify.ErrTokenType},
		"nonce and a scope":                  {plain, object{"nonce": "n", "scope": "openid"}, nil},
		"at_hash without a scope":            {plain, object{"at_hash": "n"}, verify.ErrTokenType},
		"at_hash and scp":                    {plain, object{"at_hash": "n", "scp": []string{"a"}}, nil},
		"typ ID":                             {plain, object{"typ": "ID", "scope": "openid"}, verify.ErrTokenType},
		"typ Logout":                         {plain, object{"typ": "Logout"}, verify.ErrTokenType},
		"typ Refresh":                        {plain, object{"typ": "Refresh", "scope": "openid"}, verify.ErrTokenType},
		"typ Bearer":                         {plain, object{"typ": "Bearer"}, nil},
		"token_use id":                       {plain, object{"token_use": "id", "scope": "openid"}, verify.ErrTokenType},
		"token_use is no text":               {plain, object{"token_use": []string{"access"}}, verify.ErrTokenType},
		"token_use access":                   {plain, object{"token_use": "access"}, nil},
		"a logout token":                     {plain, object{"events": object{"http://schemas.openid.net/event/backchannel-logout": object{}}}, verify.ErrTokenType},
		"events of an app's own":             {plain, object{"events": []string{"a"}}, nil},
	} {
		if _, err := judge(t, test.rule, test.claims); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// wrapped resolves roles by way of the default.
type wrapped struct{}

func (wrapped) ResolveRoles(ctx context.Context, caller *verify.SecurityContext) ([]string, error) {
	return verify.ClaimRoles{}.ResolveRoles(ctx, caller)
}

func TestPathsToRolesGroupsAndScopes(t *testing.T) {
	paths := func(i *verify.TrustedIssuer) {
		i.RolePath, i.GroupsPath, i.ScopePath = "realm_access.roles", "ext.groups", "permissions"
	}
	where := object{"realm_access": object{"roles": []any{"buyer", 7, "seller"}}, "ext": object{"groups": "eu"}, "permissions": "a b"}
	elsewhere := object{"role": "admin", "roles": []string{"admin"}, "groups": []string{"root"}, "scope": "all", "scp": "all"}
	for name, test := range map[string]struct {
		rule   func(*verify.TrustedIssuer)
		claims object
		want   string
	}{
		"at the paths":               {paths, where, "buyer [buyer seller] [eu] [a b]"},
		"elsewhere too":              {paths, with(where, elsewhere), "buyer [buyer seller] [eu] [a b]"},
		"elsewhere only":             {paths, elsewhere, " [] [] []"},
		"of another form":            {paths, with(elsewhere, object{"realm_access": object{"roles": object{"admin": true}}}), " [] [] []"},
		"the path leads to a scalar": {paths, with(elsewhere, object{"realm_access": "roles"}), " [] [] []"},
		"no paths":                   {func(*verify.TrustedIssuer) {}, elsewhere, "admin [admin] [root] [all]"},
	} {
		for _, roles := range []verify.RoleResolver{nil, wrapped{}} {
			caller, err := judgeWith(t, roles, test.rule, test.claims)
			if err != nil {
				t.Fatal(name, err)
			}
			if got := fmt.Sprint(caller.Role, " ", caller.Roles, " ", caller.Groups, " ", caller.Scopes); got != test.want {
				t.Errorf("%s, resolver %v: %s", name, roles, got)
			}
		}
	}
}

func judgeWith(t *testing.T, roles verify.RoleResolver, rule func(*verify.TrustedIssuer), changes object) (*verify.SecurityContext, error) {
	t.Helper()
	c, s := newClock(), signers()[jose.EdDSA]
	cfg := trusting(c, s)
	cfg.Roles = roles
	rule(&cfg.Issuers[0])
	return newValidator(t, cfg).Validate(context.Background(), s.Token(claims(changes)))
}

func TestAnAgentsRoleAndScopesAreAtThePaths(t *testing.T) {
	c, s := newClock(), signers()[jose.EdDSA]
	cfg := trusting(c, s)
	cfg.Issuers[0].RolePath, cfg.Issuers[0].ScopePath, cfg.Issuers[0].SubjectClaim = "r", "p", "oid"
	agent, err := newValidator(t, cfg).ValidateAgent(context.Background(),
		s.Token(claims(object{"agent_id": "a", "role": "admin", "scopes": []string{"*"}, "r": "worker", "p": "x y", "oid": "o"})))
	if err != nil || agent.Role != "worker" || !slices.Equal(agent.Scopes, []string{"x", "y"}) || agent.Subject != "o" {
		t.Errorf("%+v, %v", agent, err)
	}
}

func TestTheDenylistGoesBySub(t *testing.T) {
	index := verify.NewRevocationIndex()
	index.Apply(verify.Revocation{Sub: "alice", RevokedAt: epoch.Unix()})
	_, err := judge(t, func(i *verify.TrustedIssuer) { i.SubjectClaim, i.Denylist = "oid", index }, object{"oid": "o"})
	if !errors.Is(err, verify.ErrTokenRevoked) {
		t.Error(err)
	}
}

func TestIssuersThatAreRefused(t *testing.T) {
	const pattern = "https://login.example.com/{tenant}/v2.0"
	good := verify.TrustedIssuer{Issuer: issuerName, Audience: audience, Keys: keysOf(signers()[jose.EdDSA])}
	for name, test := range map[string]struct {
		change func(*verify.TrustedIssuer)
		want   string
	}{
		"no audience":         {func(i *verify.TrustedIssuer) { i.Audience = "" }, "has no Audience"},
		"an empty audience":   {func(i *verify.TrustedIssuer) { i.Audience, i.Audiences = "", []string{""} }, "has no Audience"},
		"audience claim":      {func(i *verify.TrustedIssuer) { i.AudienceClaim = "sub" }, `"sub" cannot be the AudienceClaim`},
		"pattern, no tenants": {func(i *verify.TrustedIssuer) { i.Issuer = pattern }, "has no Tenants"},
		"tenants, no pattern": {func(i *verify.TrustedIssuer) { i.Tenants = []string{"a"} }, "one segment of its path"},
		"tenant in the host":  {func(i *verify.TrustedIssuer) { i.Issuer, i.Tenants = "https://{tenant}.example.com/x", []string{"a"} }, "one segment"},
		"tenant as the host":  {func(i *verify.TrustedIssuer) { i.Issuer, i.Tenants = "https://{tenant}/x", []string{"a"} }, "one segment"},
		"part of a segment":   {func(i *verify.TrustedIssuer) { i.Issuer, i.Tenants = pattern[:34]+"x", []string{"a"} }, "one segment"},
		"two places":          {func(i *verify.TrustedIssuer) { i.Issuer, i.Tenants = pattern+"/{tenant}", []string{"a"} }, "one segment"},
		"in the query": {func(i *verify.TrustedIssuer) {
			i.Issuer, i.Tenants = "https://login.example.com/x?t=/{tenant}", []string{"a"}
		}, "one segment"},
		"a star in a name":       {func(i *verify.TrustedIssuer) { i.Issuer, i.Tenants = pattern, []string{"a*"} }, "or only *"},
		"a path as a tenant":     {func(i *verify.TrustedIssuer) { i.Issuer, i.Tenants = pattern, []string{"a", "b/c"} }, "or only *"},
		"a list as a tenant":     {func(i *verify.TrustedIssuer) { i.Issuer, i.Tenants = pattern, []string{"a,b"} }, "or only *"},
		"a star and a name":      {func(i *verify.TrustedIssuer) { i.Issuer, i.Tenants = pattern, []string{"*", "a"} }, "or only *"},
		"an empty tenant":        {func(i *verify.TrustedIssuer) { i.Issuer, i.Tenants = pattern, []string{""} }, "list of names"},
		"an algorithm of no key": {func(i *verify.TrustedIssuer) { i.Algorithms = []string{"HS256"} }, "HS256"},
	} {
		issuer := good
		test.change(&issuer)
		_, err := verify.NewTokenValidator(verify.ValidatorConfig{Issuers: []verify.TrustedIssuer{issuer}})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// metadata answers with a document, or 404 for "".
func metadata(documents map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if documents[r.URL.Path] == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(documents[r.URL.Path]))
	}
}

func TestDiscovery(t *testing.T) {
	one := signers()[jose.EdDSA]
	keys := string(must(jose.Set{Keys: []jose.Key{one.Key}}.Keys[0].MarshalJSON()))
	const openID, oauth = "/a/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/a"
	for name, test := range map[string]struct {
		path, document string // URL in them is the server's
		want           string // empty: found
	}{
		"OpenID Connect":      {openID, `{"issuer":"URL/a","jwks_uri":"URL/keys","x":[1]}`, ""},
		"RFC 8414":            {oauth, `{"issuer":"URL/a","jwks_uri":"URL/keys"}`, ""},
		"another issuer":      {openID, `{"issuer":"URL/b","jwks_uri":"URL/keys"}`, "metadata is of another issuer"},
		"a slash too many":    {openID, `{"issuer":"URL/a/","jwks_uri":"URL/keys"}`, "metadata is of another issuer"},
		"no keys":             {openID, `{"issuer":"URL/a"}`, "no jwks_uri"},
		"keys without TLS":    {openID, `{"issuer":"URL/a","jwks_uri":"http://10.0.0.1/keys"}`, "must be https"},
		"keys of a file":      {openID, `{"issuer":"URL/a","jwks_uri":"file:///etc/passwd"}`, "endpoint"},
		"not JSON":            {openID, `<html>`, "not a metadata document"},
		"names in other case": {openID, `{"ISSUER":"URL/a","JWKS_URI":"URL/keys"}`, "metadata is of another issuer"},
		"nothing":             {"/", `{}`, "status 404"},
		"too long":            {openID, `{"issuer":"URL/a","x":"` + strings.Repeat("x", 256<<10) + `"}`, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t, nil)
			fill := func(text string) string { return strings.ReplaceAll(text, "URL", r.server.URL) }
			r.server.Become(metadata(map[string]string{test.path: fill(test.document), "/keys": `{"keys":[` + keys + `]}`}))
			set := must(verify.NewRemoteKeySet(verify.RemoteKeySetConfig{Issuer: r.server.URL + "/a", Clock: r.clock.Now, Logger: quiet}))
			_, err := set.Key(context.Background(), one.Key.ID, one.Alg)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (!errors.Is(err, verify.ErrKeysUnavailable) || !strings.Contains(err.Error(), test.want)):
				t.Error(err)
			}
		})
	}
}

func TestKeysThatMoveAreDiscoveredAgain(t *testing.T) {
	one, two := fresh(jose.EdDSA), fresh(jose.EdDSA)
	r := newRemote(t, nil)
	serve := func(place string, s signer) {
		r.server.Become(metadata(map[string]string{
			"/.well-known/openid-configuration": `{"issuer":"` + r.server.URL + `","jwks_uri":"` + r.server.URL + place + `"}`,
			place:                               `{"keys":[` + string(must(s.Key.MarshalJSON())) + `]}`,
		}))
	}
	serve("/old", one)
	set := must(verify.NewRemoteKeySet(verify.RemoteKeySetConfig{Issuer: r.server.URL, Clock: r.clock.Now, Logger: quiet}))
	if err := set.Refresh(t.Context()); err != nil || r.server.Requests.Load() != 2 {
		t.Fatal(err, r.server.Requests.Load())
	}
	if err := set.Refresh(t.Context()); err != nil || r.server.Requests.Load() != 3 {
		t.Fatal(err, r.server.Requests.Load())
	}
	serve("/new", two)
	if err := set.Refresh(t.Context()); err == nil {
		t.Error("keys that are gone were fetched")
	}
	if err := set.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Key(t.Context(), two.Key.ID, two.Alg); err != nil {
		t.Error(err)
	}
	if _, err := verify.NewRemoteKeySet(verify.RemoteKeySetConfig{Issuer: r.server.URL, URL: r.server.URL}); err == nil {
		t.Error("a key set has both a URL and an issuer")
	}
}
