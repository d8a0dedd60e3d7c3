package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// Whatever is sent as a token is refused as an invalid one, unless it is the one good token.
func FuzzValidate(f *testing.F) {
	s := signers()[jose.EdDSA]
	v, err := verify.NewTokenValidator(trusting(newClock(), s, signers()[jose.RS256]))
	if err != nil {
		f.Fatal(err)
	}
	good := s.Token(claims(nil))
	f.Add(good)
	for _, corpus := range []map[string]attack{algorithmAttacks(signers()[jose.RS256]), headerAttacks(s), encodingAttacks(signers()[jose.RS256]), timeAttacks(s)} {
		for _, a := range corpus {
			if len(a.token) < 4096 {
				f.Add(a.token)
			}
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		caller, err := v.Validate(context.Background(), token)
		if token == good {
			return
		}
		if caller != nil || !errors.Is(err, verify.ErrInvalidToken) || errors.Is(err, verify.ErrUnavailable) {
			t.Fatalf("%q: %v, %v", token, caller, err)
		}
	})
}

// A payload that the issuer did sign is accepted only if encoding/json reads the same things in it.
func FuzzClaims(f *testing.F) {
	s := signers()[jose.EdDSA]
	cfg := trusting(newClock(), s)
	cfg.CacheSize = 0
	v, err := verify.NewTokenValidator(cfg)
	if err != nil {
		f.Fatal(err)
	}
	header := string(must(json.Marshal(s.Header(nil))))
	f.Add(string(must(json.Marshal(claims(nil)))))
	f.Add(string(must(json.Marshal(claims(object{"aud": []string{"x", audience}, "exp": 1e300, "scopes": []any{"a", 1}, "spend_limit": 1.5})))))
	f.Fuzz(func(t *testing.T, payload string) {
		caller, err := v.Validate(context.Background(), s.Raw(header, payload))
		if err != nil {
			if !errors.Is(err, verify.ErrInvalidToken) {
				t.Fatal(err)
			}
			return
		}
		var want struct {
			Iss, Sub string
			Exp      float64
		}
		if err := json.Unmarshal([]byte(payload), &want); err != nil {
			return // two members that differ in case, which only encoding/json takes for one
		}
		if caller.Issuer != issuerName || caller.Subject == "" || caller.ExpiresAt.Unix()+30 <= epoch.Unix() || len(caller.Audience) == 0 {
			t.Fatalf("%q: %+v", payload, caller)
		}
	})
}

// Whatever is in the two headers, the answer is 200 or a 401 with a challenge.
func FuzzAuthorizationHeader(f *testing.F) {
	site := newSite(f, nil)
	good := site.bearer(nil)
	f.Add(good, "")
	f.Add("Bearer", "Bearer \t,")
	f.Add(good, site.bearer(object{"agent_id": "a"}))
	f.Fuzz(func(t *testing.T, authorization, agent string) {
		r := httptest.NewRequest("GET", "/agent", nil)
		r.Header["Authorization"], r.Header[verify.AgentHeader] = []string{authorization}, []string{agent}
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		if w.Code != 200 && (w.Code != 401 || w.Header().Get("WWW-Authenticate") == "") {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://a.example","jwks_uri":"https://a.example/keys"}`))
	f.Add([]byte(`{"issuer":"https://a.example","issuer":"https://b.example"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, document []byte) {
		url, err := verify.ParseMetadata(document, "https://a.example")
		if (url == "") != (err != nil) {
			t.Errorf("%q and %v", url, err)
		}
	})
}

func FuzzClaimAt(f *testing.F) {
	f.Add([]byte(`{"a":{"b":{"c":1}},"a.b":{"c":2}}`), "a.b.c")
	f.Add([]byte(`{"":{"":1}}`), ".")
	f.Fuzz(func(t *testing.T, document []byte, path string) {
		claims, err := jose.ParseObject(document)
		if err != nil || len(path) > 100 {
			return
		}
		if want, there := claims[path]; there && want == nil && verify.ClaimAt(claims, path) != nil {
			t.Errorf("%q of %s", path, document)
		}
	})
}
