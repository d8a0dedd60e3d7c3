package serverauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

var dpopSettings = map[string]any{
	"auto_create_admin": true, "admin_password": "correct horse", "fleet_mint_secret": fleetSecret, "issuer": "https://auth.example.com",
}

// holder is a client with a key.
type holder struct {
	testutil.ProofKey
	s *server
}

func newHolder(s *server) holder { return holder{testutil.NewProofKey(jose.ES256), s} }

// at is the header of a good proof for a POST to an endpoint.
func (h holder) at(endpoint string) []string {
	return []string{"DPoP", h.Proof(http.MethodPost, h.s.url+serverauth.Prefix+endpoint, "", nil)}
}

func (h holder) signIn(w *testutil.Wallet, fields ...string) tokens {
	h.s.t.Helper()
	return h.s.post("/sign-in", h.signInBody(w, fields...), h.at("/sign-in")...).tokens(h.s.t)
}

func (h holder) signInBody(w *testutil.Wallet, fields ...string) map[string]any {
	h.s.t.Helper()
	body, err := testutil.SignInRequest(w, h.s.ask(w.Address, append([]string{"algorithm", w.Algorithm}, fields...)...))
	require.NoError(h.s.t, err)
	return body
}

// bound fails unless tokens are bound to the key.
func (h holder) bound(t testing.TB, in tokens) {
	t.Helper()
	assert.Equal(t, "DPoP", in.Type)
	assert.Equal(t, map[string]any{"jkt": h.Thumbprint()}, jwtPart(t, in.Access, 1)["cnf"])
}

func (r reply) code(t testing.TB, status int, code string) {
	t.Helper()
	assert.Equal(t, status, r.status, "body: %s", r.body)
	assert.Equal(t, code, r.json(t)["code"])
}

func TestTokensAreBoundToTheKeyOfAProof(t *testing.T) {
	s := startServer(t, dpopSettings)
	for _, algorithm := range []string{jose.ES256, jose.EdDSA, jose.RS256, jose.PS256} {
		h := holder{testutil.NewProofKey(algorithm), s}
		for name, in := range map[string]tokens{
			"sign-in": h.signIn(newWallet(t, "Ed25519")),
			"login":   s.post("/login", map[string]string{"email": "admin@pico.local", "password": "correct horse"}, h.at("/login")...).tokens(t),
		} {
			h.bound(t, in)
			next := s.refresh(in.Refresh, h.at("/refresh")...).tokens(t)
			h.bound(t, next)
			s.refresh(next.Refresh, h.at("/refresh")...).tokens(t)
			if t.Failed() {
				t.Fatal(name, algorithm)
			}
		}
		minted := s.post("/fleet/sessions", map[string]string{"session_id": "run 1", "agent_id": "a"}, append(h.at("/fleet/sessions"), "X-Fleet-Secret", fleetSecret)...)
		require.Equal(t, 200, minted.status, "%s", minted.body)
		assert.Equal(t, "DPoP", minted.json(t)["token_type"])
		assert.Equal(t, map[string]any{"jkt": h.Thumbprint()}, jwtPart(t, minted.json(t)["session_token"].(string), 1)["cnf"])
	}
	unbound := s.signIn(newWallet(t, "Ed25519"))
	assert.Equal(t, "Bearer", unbound.Type)
	assert.NotContains(t, jwtPart(t, unbound.Access, 1), "cnf")
	minted := s.post("/fleet/sessions", map[string]string{"session_id": "run 2", "agent_id": "a"}, "X-Fleet-Secret", fleetSecret)
	assert.Equal(t, "Bearer", minted.json(t)["token_type"])
}

// A wrong proof is refused before anything is spent: the same request with a good one goes through.
func TestAWrongProofSpendsNothing(t *testing.T) {
	s := startServer(t, dpopSettings)
	h := newHolder(s)
	in := h.signIn(newWallet(t, "Ed25519"))
	unbound := s.signIn(newWallet(t, "Ed25519"))
	first := h.at("/sign-in")
	s.post("/sign-in", s.signInBody(newWallet(t, "Ed25519")), first...).tokens(t)
	for name, test := range map[string]struct {
		endpoint string
		body     any
		header   []string
	}{
		"sign-in":        {"/sign-in", h.signInBody(newWallet(t, "Ed25519")), nil},
		"login":          {"/login", map[string]string{"email": "admin@pico.local", "password": "correct horse"}, nil},
		"refresh":        {"/refresh", map[string]string{"refresh_token": in.Refresh}, nil},
		"unbound":        {"/refresh", map[string]string{"refresh_token": unbound.Refresh}, nil},
		"fleet sessions": {"/fleet/sessions", map[string]string{"session_id": "run 1", "agent_id": "a"}, []string{"X-Fleet-Secret", fleetSecret}},
	} {
		url := s.url + serverauth.Prefix + test.endpoint
		wrong := map[string]string{
			"garbage":        "x.y.z",
			"empty":          "",
			"another URL":    h.Proof(http.MethodPost, url+"/x", "", nil),
			"another method": h.Proof(http.MethodGet, url, "", nil),
			"old":            h.Proof(http.MethodPost, url, "", map[string]any{"iat": time.Now().Unix() - 3600}),
			"a stranger's":   h.Sign(map[string]any{"jwk": newHolder(s).JWK()}, map[string]any{"jti": "1", "htm": "POST", "htu": url, "iat": time.Now().Unix()}),
		}
		if test.endpoint == "/sign-in" {
			wrong["used before"] = first[1]
		}
		for kind, proof := range wrong {
			t.Log(name, kind)
			s.post(test.endpoint, test.body, append([]string{"DPoP", proof}, test.header...)...).code(t, 400, "invalid_dpop_proof")
		}
		r := s.post(test.endpoint, test.body, append(h.at(test.endpoint), test.header...)...)
		assert.Equal(t, 200, r.status, "%s: %s", name, r.body)
	}
}

func TestAProofServesOnceAtTheIssuer(t *testing.T) {
	s := startServer(t, dpopSettings)
	h := newHolder(s)
	in := h.signIn(newWallet(t, "Ed25519"))
	header := h.at("/refresh")
	next := s.refresh(in.Refresh, header...).tokens(t)
	s.refresh(next.Refresh, header...).code(t, 400, "invalid_dpop_proof")
	s.refresh(in.Refresh, header...).code(t, 400, "invalid_dpop_proof") // as somebody would who has seen the request
	s.refresh(next.Refresh, h.at("/refresh")...).tokens(t)
	unknown := h.at("/refresh")
	s.refresh("x.y.z", unknown...).code(t, 401, "refresh_invalid")
	s.refresh(s.signIn(newWallet(t, "Ed25519")).Refresh, unknown...).tokens(t) // what came to nothing has spent nothing
}

// Two instances that share a storage share what was used.
func TestAProofServesOnceAtAllInstances(t *testing.T) {
	used := store.NewInMemoryUsedStore()
	instance := func() *server {
		return startServer(t, dpopSettings, fx.Decorate(func() store.UsedStore { return used }))
	}
	one, other := instance(), instance()
	key := testutil.NewProofKey(jose.ES256)
	fleet := map[string]string{"session_id": "run 1", "agent_id": "a"}
	header := []string{"X-Fleet-Secret", fleetSecret, "DPoP", key.Proof(http.MethodPost, "https://auth.example.com/api/v1/auth/fleet/sessions", "", nil)}
	assert.Equal(t, 200, one.post("/fleet/sessions", fleet, header...).status)
	other.post("/fleet/sessions", fleet, header...).code(t, 400, "invalid_dpop_proof")

	h := newHolder(one)
	in := one.post("/login", map[string]string{"email": "admin@pico.local", "password": "correct horse"}, h.at("/login")...).tokens(t)
	with := []string{"Authorization", "DPoP " + in.Access, "DPoP", h.Proof(http.MethodGet, "https://auth.example.com/api/v1/auth/keys", in.Access, nil)}
	assert.Equal(t, 200, one.get("/keys", with...).status)
	one.get("/keys", with...).code(t, 401, "invalid_dpop_proof")
}

func TestABoundSessionNeedsItsKey(t *testing.T) {
	s := startServer(t, dpopSettings)
	h, thief := newHolder(s), newHolder(s)
	in := h.signIn(newWallet(t, "Ed25519"))
	second := s.refresh(in.Refresh, h.at("/refresh")...).tokens(t)
	for _, token := range []string{in.Refresh, second.Refresh} { // the one that was used too: a thief cannot end the session
		s.refresh(token).code(t, 401, "dpop_key_mismatch")
		s.refresh(token, thief.at("/refresh")...).code(t, 401, "dpop_key_mismatch")
	}
	h.bound(t, s.refresh(second.Refresh, h.at("/refresh")...).tokens(t))
}

// A session that is not bound is bound by the first refresh with a proof.
func TestAnUnboundSessionIsBoundByARefresh(t *testing.T) {
	s := startServer(t, dpopSettings)
	h, thief := newHolder(s), newHolder(s)
	in := s.signIn(newWallet(t, "eip191"))
	next := s.refresh(in.Refresh).tokens(t)
	assert.Equal(t, "Bearer", next.Type)
	bound := s.refresh(next.Refresh, h.at("/refresh")...).tokens(t)
	h.bound(t, bound)
	again := s.refresh(next.Refresh, h.at("/refresh")...).tokens(t) // the reply was lost
	h.bound(t, again)
	assert.Equal(t, bound.Refresh, again.Refresh)
	s.refresh(next.Refresh).code(t, 401, "dpop_key_mismatch") // within the grace, by who has no key
	s.refresh(next.Refresh, thief.at("/refresh")...).code(t, 401, "dpop_key_mismatch")
	s.refresh(again.Refresh).code(t, 401, "dpop_key_mismatch")
	h.bound(t, s.refresh(again.Refresh, h.at("/refresh")...).tokens(t))
}

func TestTheMessageNamesTheKey(t *testing.T) {
	s := startServer(t, dpopSettings)
	h, other := newHolder(s), newHolder(s)
	resource := "urn:ietf:params:oauth:jwk-thumbprint:sha-256:" + h.Thumbprint()
	for _, algorithm := range []string{"eip191", "Ed25519"} {
		w := newWallet(t, algorithm)
		named := []string{"dpop_jkt", h.Thumbprint(), "domain", "auth.example.com"}
		challenge := s.ask(w.Address, append(named, "algorithm", algorithm)...)
		assert.Contains(t, challenge.Message, "\nResources:\n- "+resource)
		body, err := testutil.SignInRequest(w, challenge)
		require.NoError(t, err)
		s.post("/sign-in", body).code(t, 401, "dpop_key_mismatch")
		s.post("/sign-in", body, other.at("/sign-in")...).code(t, 401, "dpop_key_mismatch")
		h.bound(t, s.post("/sign-in", body, h.at("/sign-in")...).tokens(t)) // nothing was spent
		other.bound(t, other.signIn(w, "domain", "auth.example.com"))       // a message that names none
	}
	plain := s.ask(newWallet(t, "Ed25519").Address, "dpop_jkt", h.Thumbprint())
	assert.Empty(t, plain.Message)
	for _, jkt := range []string{"x", h.Thumbprint() + "A", strings.Repeat("=", 43), h.Thumbprint()[1:] + "\n"} {
		s.post("/challenge", map[string]string{"address": newWallet(t, "eip191").Address, "dpop_jkt": jkt}).code(t, 400, "invalid_dpop_jkt")
	}
}

// The issuer's own routes take a bound token with its proof only, and say in which scheme.
func TestTheIssuersRoutesTakeBoundTokens(t *testing.T) {
	s := startServer(t, dpopSettings)
	h := newHolder(s)
	in := s.post("/login", map[string]string{"email": "admin@pico.local", "password": "correct horse"}, h.at("/login")...).tokens(t)
	url := s.url + serverauth.Prefix + "/keys"
	with := func(scheme, proof string) reply {
		return s.get("/keys", "Authorization", scheme+" "+in.Access, "DPoP", proof)
	}
	proof := h.Proof(http.MethodGet, url, in.Access, nil)
	assert.Equal(t, 200, with("DPoP", proof).status)
	behind := h.Proof(http.MethodGet, "https://auth.example.com/api/v1/auth/keys", in.Access, nil)
	assert.Equal(t, 200, with("DPoP", behind).status, "the issuer's public URL")
	for name, r := range map[string]reply{
		"again": with("DPoP", proof), "as bearer": s.get("/keys", "Authorization", "Bearer "+in.Access),
		"another URL": with("DPoP", h.Proof(http.MethodGet, s.url+"/keys", in.Access, nil)),
		"no hash":     with("DPoP", h.Proof(http.MethodGet, url, "", nil)),
	} {
		assert.Equal(t, 401, r.status, name)
		assert.True(t, strings.HasPrefix(r.header.Get("WWW-Authenticate"), `DPoP algs="ES256 EdDSA RS256 PS256", error="`), "%s: %s", name, r.header)
	}
	user := h.signIn(newWallet(t, "Ed25519"))
	denied := s.get("/keys", "Authorization", "DPoP "+user.Access, "DPoP", h.Proof(http.MethodGet, url, user.Access, nil))
	denied.code(t, 403, "insufficient_role")
	assert.Equal(t, `DPoP error="insufficient_scope"`, denied.header.Get("WWW-Authenticate"))
	live := s.post("/introspect", map[string]string{"token": in.Access}, "X-Fleet-Secret", fleetSecret).json(t)
	assert.Equal(t, "DPoP", live["token_type"])
	assert.Equal(t, map[string]any{"jkt": h.Thumbprint()}, live["cnf"])
}

func TestProofAlgorithmsOfTheSettings(t *testing.T) {
	s := startServer(t, map[string]any{"dpop_algorithms": []string{"EdDSA"}})
	assert.Equal(t, []any{"EdDSA"}, s.get("/.well-known/openid-configuration").json(t)["dpop_signing_alg_values_supported"])
	body := s.signInBody(newWallet(t, "Ed25519"))
	s.post("/sign-in", body, newHolder(s).at("/sign-in")...).code(t, 400, "invalid_dpop_proof")
	ed := holder{testutil.NewProofKey(jose.EdDSA), s}
	ed.bound(t, s.post("/sign-in", body, ed.at("/sign-in")...).tokens(t))

	none := startServer(t, map[string]any{"dpop_algorithms": []string{}})
	assert.NotContains(t, none.get("/.well-known/openid-configuration").json(t), "dpop_signing_alg_values_supported")
	none.post("/sign-in", none.signInBody(newWallet(t, "Ed25519")), newHolder(none).at("/sign-in")...).code(t, 400, "invalid_dpop_proof")

	wrong := serverauth.DefaultServerAuthSettings()
	wrong.DPoPAlgorithms = []string{"ES256", "HS256"}
	assert.ErrorContains(t, wrong.Validate(), "dpop_algorithms[1]")
}
