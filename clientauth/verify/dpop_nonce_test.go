package verify_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

func TestNonces(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	h := newHolder(c, issuer, jose.ES256)
	key := func(context.Context) ([]byte, error) { return []byte("one key of two instances"), nil }
	service, other := guarded(t, c, issuer, verify.DPoPConfig{Nonces: true, NonceKey: key}), guarded(t, c, issuer, verify.DPoPConfig{Nonces: true, NonceKey: key})
	stranger := guarded(t, c, issuer, verify.DPoPConfig{Nonces: true})
	n := 0
	use := func(nonce any) *httptest.ResponseRecorder {
		n++
		return call(service, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", h.proof(strings.Repeat("n", n), nil, object{"nonce": nonce}))
	}
	wanted := func(name string, w *httptest.ResponseRecorder) string {
		t.Helper()
		nonce := w.Header().Get("DPoP-Nonce")
		if challenge := w.Header().Get("WWW-Authenticate"); w.Code != 401 || nonce == "" || !strings.HasPrefix(challenge, dpopChallenge+`, error="use_dpop_nonce"`) {
			t.Errorf("%s: %d %q, nonce %q", name, w.Code, challenge, nonce)
		}
		if !strings.Contains(w.Body.String(), `"code":"use_dpop_nonce"`) {
			t.Errorf("%s: %s", name, w.Body)
		}
		return nonce
	}
	first := wanted("no nonce", use(nil))
	for range 2 { // it is for any number of proofs
		if w := use(first); w.Code != 200 || w.Header().Get("DPoP-Nonce") != "" {
			t.Errorf("%d %s, %v", w.Code, w.Body, w.Header())
		}
	}
	if w := call(other, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", h.proof("other", nil, object{"nonce": first})); w.Code != 200 {
		t.Errorf("another instance: %d", w.Code)
	}
	theirs := wanted("a stranger's", call(stranger, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", h.proof("stranger", nil, object{"nonce": first})))
	for name, nonce := range map[string]any{
		"another service's": theirs, "empty": "", "a number": 1, "cut off": first[:len(first)-1], "longer": first + "A", "another minute": "AAAAAAHI" + first[8:], "not base64url": "!" + first[1:],
	} {
		wanted(name, use(nonce))
	}
	c.Move(2 * time.Minute)
	w := use(first)
	second := w.Header().Get("DPoP-Nonce")
	if w.Code != 200 || second == "" || second == first || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("an old nonce: %d %v", w.Code, w.Header())
	}
	c.Move(4 * time.Minute)
	wanted("too old", use(first))
	if w := use(second); w.Code != 200 {
		t.Errorf("the next nonce: %d", w.Code)
	}
	c.Move(-6 * time.Minute)
	wanted("of the future", use(second))
}

// A nonce is told with every answer that asks for a proof, and with no other.
func TestWhoIsToldANonce(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	h := newHolder(c, issuer, jose.ES256)
	bearer := issuer.Token(claims(nil))
	for name, test := range map[string]struct {
		required bool
		header   []string
		status   int
		told     bool
	}{
		"bearer":                     {false, []string{"Authorization", "Bearer " + bearer}, 200, false},
		"nobody":                     {false, nil, 401, false},
		"nobody, proofs required":    {true, nil, 401, true},
		"bearer, proofs required":    {true, []string{"Authorization", "Bearer " + bearer}, 401, true},
		"a bound token as bearer":    {false, []string{"Authorization", "Bearer " + h.token}, 401, true},
		"a bound token and no proof": {false, []string{"Authorization", "DPoP " + h.token}, 401, true},
	} {
		w := call(guarded(t, c, issuer, verify.DPoPConfig{Required: test.required, Nonces: true}), "GET", "/me", test.header...)
		if told := w.Header().Get("DPoP-Nonce") != ""; w.Code != test.status || told != test.told {
			t.Errorf("%s: %d, told %v", name, w.Code, told)
		}
	}
	away := guarded(t, c, issuer, verify.DPoPConfig{Nonces: true, NonceKey: func(context.Context) ([]byte, error) { return nil, errors.New("away") }})
	w := call(away, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", h.proof("1", nil, object{"nonce": "x"}))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("without the key: %d %v", w.Code, w.Header())
	}
}

// A store that fails is no reason to accept a proof.
func TestProofStoreThatFails(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	h := newHolder(c, issuer, jose.ES256)
	store := storeFunc(func() (bool, error) { return true, errors.New("away") })
	service := guarded(t, c, issuer, verify.DPoPConfig{Used: store})
	w := call(service, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", h.proof("1", nil, nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "away") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type storeFunc func() (bool, error)

func (f storeFunc) Spend(context.Context, string, string, time.Time, time.Time) (bool, error) {
	return f()
}

// EdDSA and Ed25519 are two names of one; an empty list refuses every proof.
func TestNamesOfProofAlgorithms(t *testing.T) {
	c, issuer := newClock(), signers()[jose.RS256]
	h := newHolder(c, issuer, jose.EdDSA)
	for name, test := range map[string]struct {
		algorithms []string
		status     int
	}{"the default": {nil, 200}, "EdDSA": {[]string{jose.EdDSA}, 200}, "another": {[]string{jose.ES256}, 401}, "none": {[]string{}, 401}} {
		service := guarded(t, c, issuer, verify.DPoPConfig{Algorithms: test.algorithms})
		for _, alg := range []string{jose.EdDSA, jose.Ed25519} {
			if w := call(service, "GET", "/me", "Authorization", "DPoP "+h.token, "DPoP", h.proof(alg, object{"alg": alg}, nil)); w.Code != test.status {
				t.Errorf("%s, %s: %d %s", name, alg, w.Code, w.Body)
			}
		}
	}
}
