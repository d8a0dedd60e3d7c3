package verify_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// holder is a client with a key, and a token that is bound to it.
type holder struct {
	signer
	token string
	clock *clock
}

func newHolder(c *clock, issuer signer, alg string) holder {
	h := holder{signer: signers()[alg], clock: c}
	h.token = issuer.Token(claims(object{"cnf": object{"jkt": must(jose.Thumbprint(h.Key.Public))}}))
	return h
}

// jwk is the public key as a proof has it.
func (h holder) jwk() object {
	var members object
	key := h.Key
	key.ID, key.Algorithm = "", ""
	_ = json.Unmarshal(must(key.MarshalJSON()), &members)
	delete(members, "use")
	return members
}

func ath(token string) string {
	sum := sha256.Sum256([]byte(token))
	return jose.EncodeBase64(sum[:])
}

// proof is a good one for GET https://api.example.com/me, with changes.
func (h holder) proof(id string, header, claims object) string {
	return h.Sign(with(object{"typ": "dpop+jwt", "alg": h.Alg, "jwk": h.jwk()}, header),
		with(object{"jti": id, "htm": "GET", "htu": "https://api.example.com/me", "iat": h.clock.Unix(), "ath": ath(h.token)}, claims))
}

// guarded is a service whose public URL is https://api.example.com.
func guarded(t testing.TB, c *clock, issuer signer, cfg verify.DPoPConfig) http.Handler {
	t.Helper()
	if cfg.Origins == nil {
		cfg.Origins = func(*http.Request) []string { return []string{"https://api.example.com"} }
	}
	a, err := verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: newValidator(t, trusting(c, issuer)), Realm: audience, DPoP: cfg, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return a.Handler(verify.HasRole("wallet").Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("in")) })))
}

const dpopChallenge = `DPoP algs="ES256 EdDSA RS256 PS256"`

func TestProofs(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	h, thief := newHolder(c, issuer, jose.ES256), newHolder(c, issuer, jose.EdDSA)
	other := issuer.Token(claims(object{"cnf": object{"jkt": must(jose.Thumbprint(h.Key.Public))}, "jti": "another"}))
	private := with(h.jwk(), object{"d": "AAAA"})
	for name, test := range map[string]struct {
		token, proof string
		want         string // empty: good; else the error of the challenge
	}{
		"good":                    {h.token, h.proof("good", nil, nil), ""},
		"a query and a fragment":  {h.token, h.proof("query", nil, object{"htu": "https://api.example.com/me?a=b#c"}), ""},
		"upper case and the port": {h.token, h.proof("port", nil, object{"htu": "HTTPS://API.example.com:443/me"}), ""},
		"needlessly encoded":      {h.token, h.proof("encoded", nil, object{"htu": "https://api.example.com/%6de"}), ""},
		"as old as allowed":       {h.token, h.proof("old", nil, object{"iat": c.Unix() - 30}), ""},
		"as new as allowed":       {h.token, h.proof("new", nil, object{"iat": c.Unix() + 30}), ""},
		"more claims":             {h.token, h.proof("more", nil, object{"x": 1}), ""},
		"too old":                 {h.token, h.proof("1", nil, object{"iat": c.Unix() - 31}), "invalid_dpop_proof"},
		"too new":                 {h.token, h.proof("2", nil, object{"iat": c.Unix() + 31}), "invalid_dpop_proof"},
		"another method":          {h.token, h.proof("3", nil, object{"htm": "POST"}), "invalid_dpop_proof"},
		"method in lower case":    {h.token, h.proof("4", nil, object{"htm": "get"}), "invalid_dpop_proof"},
		"another path":            {h.token, h.proof("5", nil, object{"htu": "https://api.example.com/me/x"}), "invalid_dpop_proof"},
		"a slash encoded":         {h.token, h.proof("6", nil, object{"htu": "https://api.example.com/%2Fme"}), "invalid_dpop_proof"},
		"another host":            {h.token, h.proof("7", nil, object{"htu": "https://api.example.com.evil.example/me"}), "invalid_dpop_proof"},
		"a user in the URL":       {h.token, h.proof("8", nil, object{"htu": "https://x@api.example.com/me"}), "invalid_dpop_proof"},
		"another scheme":          {h.token, h.proof("9", nil, object{"htu": "http://api.example.com/me"}), "invalid_dpop_proof"},
		"a path alone":            {h.token, h.proof("10", nil, object{"htu": "/me"}), "invalid_dpop_proof"},
		"of another token":        {other, h.proof("11", nil, nil), "invalid_dpop_proof"},
		"no ath":                  {h.token, h.proof("12", nil, object{"ath": nil}), "invalid_dpop_proof"},
		"no jti":                  {h.token, h.proof("", nil, nil), "invalid_dpop_proof"},
		"jti is a number":         {h.token, h.proof("", nil, object{"jti": 1}), "invalid_dpop_proof"},
		"a long jti":              {h.token, h.proof(strings.Repeat("j", 257), nil, nil), "invalid_dpop_proof"},
		"no iat":                  {h.token, h.proof("13", nil, object{"iat": nil}), "invalid_dpop_proof"},
		"iat is a text":           {h.token, h.proof("14", nil, object{"iat": "1"}), "invalid_dpop_proof"},
		"no htm":                  {h.token, h.proof("15", nil, object{"htm": nil}), "invalid_dpop_proof"},
		"no htu":                  {h.token, h.proof("16", nil, object{"htu": nil}), "invalid_dpop_proof"},
		"typ JWT":                 {h.token, h.proof("17", object{"typ": "JWT"}, nil), "invalid_dpop_proof"},
		"no typ":                  {h.token, h.proof("18", object{"typ": nil}, nil), "invalid_dpop_proof"},
		"alg none":                {h.token, h.proof("19", object{"alg": "none"}, nil), "invalid_dpop_proof"},
		"alg HS256":               {h.token, h.proof("20", object{"alg": "HS256"}, nil), "invalid_dpop_proof"},
		"an algorithm that is not listed": {h.token, signer{Alg: jose.ES384, Private: signers()[jose.ES384].Private}.Sign(
			object{"typ": "dpop+jwt", "alg": jose.ES384, "jwk": h.jwk()}, object{}), "invalid_dpop_proof"},
		"no key":                    {h.token, h.proof("21", object{"jwk": nil}, nil), "invalid_dpop_proof"},
		"a key with a private part": {h.token, h.proof("22", object{"jwk": private}, nil), "invalid_dpop_proof"},
		"a symmetric key":           {h.token, h.proof("23", object{"jwk": object{"kty": "oct", "k": "AAAA"}}, nil), "invalid_dpop_proof"},
		"a key that is a text":      {h.token, h.proof("24", object{"jwk": "x"}, nil), "invalid_dpop_proof"},
		"crit":                      {h.token, h.proof("25", object{"crit": []string{"x"}}, nil), "invalid_dpop_proof"},
		"a proof of another's key":  {h.token, thief.proof("26", nil, object{"ath": ath(h.token)}), "invalid_token"},
		"another's signature":       {h.token, thief.proof("27", object{"jwk": h.jwk(), "alg": jose.EdDSA}, object{"ath": ath(h.token)}), "invalid_dpop_proof"},
		"a changed signature":       {h.token, h.proof("28", nil, nil)[:400] + "AAAA", "invalid_dpop_proof"},
		"no proof":                  {h.token, "", "invalid_dpop_proof"},
		"the token as its proof":    {h.token, h.token, "invalid_dpop_proof"},
		"an unbound token":          {issuer.Token(claims(nil)), h.proof("29", nil, object{"ath": ath(issuer.Token(claims(nil)))}), "invalid_token"},
		"a token that is none":      {"x.y.z", h.proof("30", nil, nil), "invalid_token"},
		"too long":                  {h.token, h.proof("31", nil, object{"x": strings.Repeat("x", 17<<10)}), "invalid_dpop_proof"},
	} {
		t.Run(name, func(t *testing.T) {
			service := guarded(t, c, issuer, verify.DPoPConfig{})
			header := []string{"Authorization", "DPoP " + test.token}
			if test.proof != "" {
				header = append(header, "DPoP", test.proof)
			}
			w := call(service, "GET", "/me", header...)
			if test.want == "" {
				if w.Code != 200 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				return
			}
			if challenge := w.Header().Get("WWW-Authenticate"); w.Code != 401 || !strings.HasPrefix(challenge, dpopChallenge+`, error="`+test.want+`"`) {
				t.Errorf("%d %s", w.Code, challenge)
			}
			if strings.Contains(w.Body.String(), h.token) {
				t.Error("the answer shows the token")
			}
		})
	}
}

func TestEveryAlgorithmOfProofs(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	for _, alg := range verify.DefaultProofAlgorithms() {
		h := newHolder(c, issuer, alg)
		service := guarded(t, c, issuer, verify.DPoPConfig{})
		for i := range 3 { // the key of the second is known
			w := call(service, "GET", "/me", "Authorization", "dpop "+h.token, "DPoP", h.proof(strconv.Itoa(i), nil, nil))
			if w.Code != 200 {
				t.Errorf("%s: %d %s", alg, w.Code, w.Body)
			}
		}
	}
	h := newHolder(c, issuer, jose.MLDSA65)
	service := guarded(t, c, issuer, verify.DPoPConfig{Algorithms: []string{jose.MLDSA65}})
	if w := call(service, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", h.proof("1", nil, nil)); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestABoundTokenIsNoBearerToken(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	h := newHolder(c, issuer, jose.ES256)
	bearer := "Bearer " + issuer.Token(claims(nil))
	boundAgent := "Bearer " + issuer.Token(claims(object{"agent_id": "a", "cnf": object{"jkt": must(jose.Thumbprint(h.Key.Public))}}))
	for name, test := range map[string]struct {
		required  bool
		header    []string
		status    int
		challenge string
	}{
		"bearer":                           {false, []string{"Authorization", bearer}, 200, ""},
		"bearer, proofs required":          {true, []string{"Authorization", bearer}, 401, dpopChallenge + `, error="invalid_token"`},
		"nothing, proofs required":         {true, nil, 401, dpopChallenge},
		"a bound one as bearer":            {false, []string{"Authorization", "Bearer " + h.token}, 401, dpopChallenge + `, error="invalid_token"`},
		"a bound one as bearer with proof": {false, []string{"Authorization", "Bearer " + h.token, "DPoP", h.proof("1", nil, nil)}, 401, dpopChallenge + `, error="invalid_token"`},
		"a bound agent":                    {false, []string{"Authorization", bearer, verify.AgentHeader, boundAgent}, 401, `Bearer realm="pico", error="invalid_token"`},
		"two proofs":                       {false, []string{"Authorization", "DPoP " + h.token, "DPoP", h.proof("2", nil, nil), "DPoP", h.proof("3", nil, nil)}, 401, dpopChallenge + `, error="invalid_dpop_proof"`},
		"no token":                         {false, []string{"Authorization", "DPoP"}, 401, dpopChallenge + `, error="invalid_token"`},
	} {
		service := guarded(t, c, issuer, verify.DPoPConfig{Required: test.required})
		w := call(service, "GET", "/me", test.header...)
		if got := w.Header().Get("WWW-Authenticate"); w.Code != test.status || !strings.HasPrefix(got, test.challenge) {
			t.Errorf("%s: %d %s", name, w.Code, got)
		}
	}
	// Who may not is told so in the scheme that it used.
	stranger := newHolder(c, issuer, jose.ES256)
	stranger.token = issuer.Token(claims(object{"role": "other", "cnf": object{"jkt": must(jose.Thumbprint(h.Key.Public))}}))
	w := call(guarded(t, c, issuer, verify.DPoPConfig{}), "GET", "/me", "Authorization", "DPoP "+stranger.token, "DPoP", stranger.proof("1", nil, nil))
	if got := w.Header().Get("WWW-Authenticate"); w.Code != 403 || !strings.HasPrefix(got, dpopChallenge+`, error="insufficient_scope"`) {
		t.Errorf("%d %s", w.Code, got)
	}
}

func TestBindingsThatCannotBeRead(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	v := newValidator(t, trusting(c, issuer))
	for _, cnf := range []any{"x", 1, []string{"jkt"}, object{"jkt": 1}, object{"jkt": ""}, object{"jkt": "x"}, object{"jkt": nil}, object{"jkt": strings.Repeat("A", 44)}} {
		if _, err := v.Validate(t.Context(), issuer.Token(claims(object{"cnf": cnf}))); !errors.Is(err, verify.ErrMalformedToken) {
			t.Errorf("%v: %v", cnf, err)
		}
	}
	if _, err := v.Validate(t.Context(), issuer.Token(claims(object{"cnf": object{"x5t#S256": "x"}}))); err != nil {
		t.Error(err)
	}
}

func TestAProofServesOnce(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	h := newHolder(c, issuer, jose.ES256)
	service := guarded(t, c, issuer, verify.DPoPConfig{})
	use := func(proof string) int {
		return call(service, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", proof).Code
	}
	first, future := h.proof("one", nil, nil), h.proof("future", nil, object{"iat": c.Unix() + 30})
	for when, test := range []struct {
		proof string
		move  time.Duration
		want  int
	}{
		{first, 0, 200}, {first, 0, 401}, {h.proof("one", nil, object{"iat": c.Unix() - 1}), 0, 401}, // the same jti in another proof
		{future, 0, 200}, {first, 30 * time.Second, 401}, {future, 29 * time.Second, 401}, {future, time.Second, 401},
		{future, time.Second, 401}, {future, -time.Minute, 401}, {first, -31 * time.Second, 401}, // the clock is set back
	} {
		c.Move(test.move)
		if got := use(test.proof); got != test.want {
			t.Errorf("%d: %d", when, got)
		}
	}
}

func TestAFullCacheForgetsNothing(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	h := newHolder(c, issuer, jose.EdDSA)
	service := guarded(t, c, issuer, verify.DPoPConfig{CacheSize: 3})
	use := func(id string) *httptest.ResponseRecorder {
		return call(service, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", h.proof(id, nil, nil))
	}
	for i := range 3 {
		if w := use(strconv.Itoa(i)); w.Code != 200 {
			t.Fatal(w.Code)
		}
	}
	c.Move(30 * time.Second)
	if w := use("more"); w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := call(service, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", h.proof("0", nil, object{"iat": c.Unix() - 30})); w.Code != 401 {
		t.Errorf("%d: a used proof", w.Code)
	}
	c.Move(time.Second)
	if w := use("more"); w.Code != 200 {
		t.Errorf("%d: there is room again", w.Code)
	}
}

func TestTheURLOfAProof(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	h := newHolder(c, issuer, jose.EdDSA)
	origin := func(all ...string) func(*http.Request) []string { return func(*http.Request) []string { return all } }
	for name, test := range map[string]struct {
		target, htu string
		origin      func(*http.Request) []string
		want        int
	}{
		"of the connection":        {"http://api.example.com/me", "http://api.example.com/me", nil, 200},
		"with TLS":                 {"https://api.example.com/me", "https://api.example.com/me", nil, 200},
		"of another host":          {"https://api.example.com/me", "https://evil.example/me", nil, 401},
		"the root":                 {"https://api.example.com/", "https://api.example.com", nil, 200},
		"a path before":            {"/me", "https://example.com/api/me", origin("https://example.com/api/"), 200},
		"a path before, left out":  {"/me", "https://example.com/me", origin("https://example.com/api/"), 401},
		"one of two origins":       {"/me", "https://example.com/me", origin("http://127.0.0.1:8200", "https://example.com"), 200},
		"none of two origins":      {"/me", "https://example.org/me", origin("http://127.0.0.1:8200", "https://example.com"), 401},
		"no origin":                {"/me", "https://example.com/me", origin(), 401},
		"an unknown origin":        {"/me", "https://example.com/me", origin(""), 401},
		"an origin that is broken": {"/me", "https://example.com/me", origin("https://exa mple.com"), 401},
	} {
		proof := h.proof("1", nil, object{"htu": test.htu})
		a := must(verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: newValidator(t, trusting(c, issuer)), Logger: quiet,
			DPoP: verify.DPoPConfig{Origins: test.origin}}))
		w := call(a.Handler(http.NotFoundHandler()), "GET", test.target, "Authorization", "DPoP "+h.token, "DPoP", proof)
		if got := w.Code; got != test.want && (test.want != 200 || got != 404) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestDPoPConfigsThatAreRefused(t *testing.T) {
	v := newValidator(t, trusting(newClock(), signers()[jose.EdDSA]))
	for _, cfg := range []verify.DPoPConfig{{Algorithms: []string{"HS256"}}, {CacheSize: -1}} {
		if _, err := verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: v, DPoP: cfg}); err == nil {
			t.Errorf("%+v", cfg)
		}
	}
}

func FuzzProof(f *testing.F) {
	c, issuer := newClock(), signers()[jose.RS256]
	h := newHolder(c, issuer, jose.EdDSA)
	good := h.proof("good", nil, nil)
	for _, seed := range []string{good, "", "..", h.token, h.proof("1", object{"jwk": nil}, nil), h.proof("2", nil, object{"htu": "%"})} {
		f.Add(seed)
	}
	service := guarded(f, c, issuer, verify.DPoPConfig{})
	f.Fuzz(func(t *testing.T, proof string) {
		r := httptest.NewRequest("GET", "/me", nil)
		r.Header.Set("Authorization", "DPoP "+h.token)
		r.Header.Set("DPoP", proof)
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		if w.Code != 401 && (w.Code != 200 || proof != good) {
			t.Errorf("%d for %q", w.Code, proof)
		}
	})
}

// BenchmarkProof is a protected request with a proof, beside the verification of its signature.
func BenchmarkProof(b *testing.B) {
	for _, alg := range []string{jose.ES256, jose.EdDSA} {
		c, issuer := newClock(), signers()[jose.RS256]
		h := newHolder(c, issuer, alg)
		service := guarded(b, c, issuer, verify.DPoPConfig{CacheSize: 10_000_000})
		b.Run(alg, func(b *testing.B) {
			var below, rest []time.Duration // the medians say more than the means on a busy machine
			r := httptest.NewRequest("GET", "/me", nil)
			r.Header.Set("Authorization", "DPoP "+h.token)
			for i := 0; b.Loop(); i++ {
				proof := h.proof(fmt.Sprint(b.Name(), b.N, i), nil, nil)
				input := proof[:strings.LastIndex(proof, ".")]
				signature := must(jose.DecodeBase64(proof[len(input)+1:]))
				r.Header.Set("DPoP", proof)
				w := httptest.NewRecorder()
				at := time.Now()
				_ = h.Key.Verify(alg, input, signature)
				between := time.Now()
				service.ServeHTTP(w, r)
				below, rest = append(below, between.Sub(at)), append(rest, time.Since(between)-between.Sub(at))
				if w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
			}
			slices.Sort(below)
			slices.Sort(rest)
			b.ReportMetric(float64(below[len(below)/2].Nanoseconds()), "verify-ns")
			b.ReportMetric(float64(rest[len(rest)/2].Nanoseconds()), "rest-ns")
		})
	}
}

// The header of the last good proof is not read again, and all else of a proof is.
func TestAKnownHeaderIsJudgedAlike(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	h := newHolder(c, issuer, jose.EdDSA)
	validator := newValidator(t, trusting(c, issuer))
	service := func(algorithms ...string) http.Handler {
		a := must(verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: validator, Logger: quiet, DPoP: verify.DPoPConfig{
			Algorithms: algorithms, Origins: func(*http.Request) []string { return []string{"https://api.example.com"} }}}))
		return a.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	}
	one, other := service(jose.EdDSA), service(jose.ES256)
	use := func(service http.Handler, proof string) int {
		return call(service, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", proof).Code
	}
	for i := range 2 {
		if got := use(one, h.proof("good"+strconv.Itoa(i), nil, nil)); got != 200 {
			t.Fatal(got)
		}
	}
	if got := use(other, h.proof("other", nil, nil)); got != 401 {
		t.Errorf("a service that takes other algorithms: %d", got)
	}
	good := h.proof("parts", nil, nil)
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	another := strings.Split(h.proof("another", nil, nil), ".")
	for name, proof := range map[string]string{
		"another's signature": header + "." + payload + "." + another[2], "no signature": header + "." + payload + ".", "two parts": header + "." + payload,
		"four parts": good + ".", "header alone": header, "header and dot": header + ".", "a longer header": header + "A." + payload + "." + signature,
		"no payload": header + ".." + signature, "padding": good + "=", "white space": good + " ", "a longer signature": good + "AAAA",
	} {
		if got := use(one, proof); got != 401 {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := use(one, good); got != 200 {
		t.Errorf("what was refused has spent nothing: %d", got)
	}
}
