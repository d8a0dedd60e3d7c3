package verify_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/app/problem"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// hintOf returns the hint of a refusal, and fails unless its detail and code are those of the contract.
func hintOf(t *testing.T, body []byte, detail, code string) string {
	t.Helper()
	var problem problem.Problem
	if err := json.Unmarshal(body, &problem); err != nil || problem.Detail != detail || problem.Code != code {
		t.Errorf("%s: %v", body, err)
	}
	return problem.Hint
}

// revoking is a denylist with one token.
func revoking(jti string) verify.Denylist {
	index := verify.NewRevocationIndex()
	index.Apply(verify.Revocation{JTI: jti})
	return index
}

func TestARefusalSaysWhatCameAndWhatWasWanted(t *testing.T) {
	s := newSite(t, func(c *verify.ValidatorConfig) {
		for _, other := range []string{"https://b.example", "https://c.example", "https://d.example"} {
			c.Issuers = append(c.Issuers, verify.TrustedIssuer{Issuer: other, Audience: "other", Keys: keysOf()})
		}
		c.Issuers[0].Denylist = revoking("revoked")
	})
	sign := func(header, changes object) string { return s.signer.Sign(s.signer.Header(header), claims(changes)) }
	payload := func(text string) string { return s.signer.Raw(string(must(json.Marshal(s.signer.Header(nil)))), text) }
	const malformed, expired, secret = "the token is malformed", "the token has expired", "SeCrEt"
	long := strings.Repeat("x", 1000)
	for name, test := range map[string]struct{ token, detail, hint string }{
		"two parts":               {"a.b", malformed, "a token has three parts"},
		"no base64":               {"§.b.c", malformed, "header: not canonical base64url"},
		"too large":               {strings.Repeat("a", 20_000), malformed, "a token has at most 16384 bytes"},
		"header no JSON":          {s.signer.Raw("{"+secret, "{}"), malformed, "header: broken JSON at byte 1"},
		"header without alg":      {sign(object{"alg": nil}, nil), malformed, "header without alg"},
		"crit":                    {sign(object{"crit": []string{secret}}, nil), malformed, "critical header extension"},
		"claims no JSON":          {payload(`{"sub":` + secret + `}`), malformed, "claims: broken JSON at byte 7"},
		"claims a list":           {payload(`["` + secret + `"]`), malformed, "claims: not a JSON object"},
		"a claim twice":           {payload(`{"` + secret + `":1,"` + secret + `":1}`), malformed, "claims: a JSON object has a member twice"},
		"no sub":                  {sign(nil, object{"sub": nil}), malformed, `claim "sub" is missing`},
		"empty sub":               {sign(nil, object{"sub": ""}), malformed, `claim "sub" is missing`},
		"sub a number":            {sign(nil, object{"sub": 7}), malformed, `claim "sub" is not a text`},
		"jti a number":            {sign(nil, object{"jti": 7}), malformed, `claim "jti" is not a text`},
		"no iss":                  {sign(nil, object{"iss": nil}), malformed, `claim "iss" is missing`},
		"no aud":                  {sign(nil, object{"aud": nil}), malformed, `claim "aud" is missing`},
		"aud a number":            {sign(nil, object{"aud": 7}), malformed, `claim "aud" is neither a text nor a list`},
		"aud mixed":               {sign(nil, object{"aud": []any{"a", 7}}), malformed, `claim "aud" has an item that is not a text`},
		"no exp":                  {sign(nil, object{"exp": nil}), malformed, `claim "exp" is missing`},
		"exp a text":              {sign(nil, object{"exp": "never"}), malformed, `claim "exp" is not a time`},
		"exp zero":                {sign(nil, object{"exp": 0}), malformed, `claim "exp" is not positive`},
		"nbf a text":              {sign(nil, object{"nbf": "now"}), malformed, `claim "nbf" is not a time`},
		"expired":                 {sign(nil, object{"exp": epoch.Unix() - 60}), expired, "it expired at 2026-05-17T11:59:00Z; here it is 2026-05-17T12:00:00Z"},
		"nbf":                     {sign(nil, object{"nbf": epoch.Unix() + 60}), "the token is not valid yet", "it is valid from 2026-05-17T12:01:00Z (nbf); here it is 2026-05-17T12:00:00Z"},
		"iat":                     {sign(nil, object{"iat": epoch.Unix() + 60}), "the token is not valid yet", "it was issued at 2026-05-17T12:01:00Z (iat); here it is 2026-05-17T12:00:00Z"},
		"aud":                     {sign(nil, object{"aud": "b"}), "the token is for another audience", `aud "b" came; "pico" is wanted`},
		"aud a list":              {sign(nil, object{"aud": []string{"b", "c", "d", "e"}}), "the token is for another audience", `aud "b", "c", "d", … came; "pico" is wanted`},
		"aud empty":               {sign(nil, object{"aud": []string{}}), "the token is for another audience", `aud "" came; "pico" is wanted`},
		"aud long":                {sign(nil, object{"aud": long}), "the token is for another audience", `aud "` + long[:100] + `" came; "pico" is wanted`},
		"iss":                     {sign(nil, object{"iss": "https://e.example"}), "the token's issuer is not trusted", `iss "https://e.example" came; "https://auth.example.com", "https://b.example", "https://c.example", … is wanted`},
		"alg":                     {sign(object{"alg": "HS256"}, nil), "the token's algorithm is not accepted", `alg "HS256" came; accepted: ` + strings.Join(slices.Sorted(slices.Values(jose.Algorithms())), ", ")},
		"alg of another issuer":   {sign(object{"alg": "RS256"}, nil), "the token's algorithm is not accepted", `alg "RS256" came; accepted: EdDSA`},
		"typ":                     {sign(object{"typ": "rt+jwt"}, nil), "the token is not an access token", `typ "rt+jwt" came; "at+jwt", "JWT" or none is wanted`},
		"type":                    {sign(nil, object{"type": "refresh"}), "the token is not an access token", `claim "type" says refresh`},
		"kid":                     {sign(object{"kid": "k-1"}, nil), "the token's key is unknown", `the issuer has no key with the kid "k-1"`},
		"no kid, no key":          {sign(object{"kid": nil}, object{"iss": "https://b.example", "aud": "other"}), "the token's key is unknown", `the token has no kid, and the issuer has no key for "EdDSA"`},
		"signature":               {sign(nil, nil) + "AAAA", "the token's signature is wrong", ""},
		"revoked":                 {sign(nil, object{"jti": "revoked"}), "the token was revoked", ""},
		"escapes in what is told": {sign(nil, object{"aud": "\x1b[2J\n"}), "the token is for another audience", `aud "\x1b[2J\n" came; "pico" is wanted`},
	} {
		code := "invalid_token"
		switch test.detail {
		case expired:
			code = "token_expired"
		case "the token was revoked":
			code = "token_revoked"
		}
		w := s.call("GET", "/me", "Authorization", "Bearer "+test.token)
		if hint := hintOf(t, w.Body.Bytes(), test.detail, code); hint != test.hint {
			t.Errorf("%s: hint %q, want %q", name, hint, test.hint)
		}
		if strings.Contains(w.Header().Get("WWW-Authenticate"), "came") {
			t.Errorf("%s: %v", name, w.Header())
		}
		log := s.log.take()
		if !strings.Contains(log, "level=INFO") || !strings.Contains(log, "token refused") || strings.Contains(log, secret) || strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s: log %s", name, log)
		}
	}
}

func TestARefusedHeaderSaysWhy(t *testing.T) {
	s := newSite(t, nil)
	good := s.bearer(nil)
	for name, test := range map[string]struct {
		header             []string
		detail, code, hint string
	}{
		"nothing":         {nil, "a bearer token is required", "token_required", ""},
		"another scheme":  {[]string{"Authorization", "Basic c2VjcmV0"}, "a bearer token is required", "token_required", `the Authorization header does not begin with "Bearer "`},
		"the token alone": {[]string{"Authorization", good[7:]}, "a bearer token is required", "token_required", `the Authorization header does not begin with "Bearer "`},
		"no token":        {[]string{"Authorization", "Bearer "}, "the token is malformed", "invalid_token", "no token came after Bearer"},
		"two headers":     {[]string{"Authorization", good, "Authorization", good}, "the token is malformed", "invalid_token", "2 headers came; only one is allowed"},
		"agent, no Bearer": {[]string{"Authorization", good, verify.AgentHeader, good[7:]},
			"X-Agent-Authorization: the token is malformed", "invalid_agent_token", `it does not begin with "Bearer "`},
		"agent, a wallet": {[]string{"Authorization", good, verify.AgentHeader, good},
			"X-Agent-Authorization: the token is not an agent's", "invalid_agent_token", "none of the claims act, agent_id, task_type and scopes is there"},
	} {
		w := s.call("GET", "/me", test.header...)
		if hint := hintOf(t, w.Body.Bytes(), test.detail, test.code); hint != test.hint {
			t.Errorf("%s: hint %q, want %q", name, hint, test.hint)
		}
		if log := s.log.take(); strings.Contains(log, "token refused") != (test.hint != "") || strings.Contains(log, good[7:]) {
			t.Errorf("%s: log %s", name, log)
		}
	}
}

func TestWhatCannotBeJudgedHasNoHint(t *testing.T) {
	s := newSite(t, func(c *verify.ValidatorConfig) { c.Issuers[0].Keys = failing{errors.New("10.0.0.7 is down")} })
	w := s.call("GET", "/me", "Authorization", s.bearer(nil))
	if hint := hintOf(t, w.Body.Bytes(), "the issuer's keys are not available", "auth_unavailable"); hint != "" {
		t.Errorf("hint %q", hint)
	}
	if log := s.log.take(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "10.0.0.7 is down") {
		t.Errorf("log %s", log)
	}
}

func TestRefusalsDoNotFloodTheLog(t *testing.T) {
	s := newSite(t, nil)
	refuse := func(times int, token func(i int) string) int {
		for i := range times {
			s.call("GET", "/me", "Authorization", "Bearer "+token(i))
		}
		return strings.Count(s.log.take(), "token refused")
	}
	unknown := func(i int) string {
		return s.signer.Sign(s.signer.Header(object{"kid": strconv.Itoa(i)}), claims(nil))
	}
	if n := refuse(100, unknown); n != 10 {
		t.Errorf("%d lines of one reason in one second", n)
	}
	if n := refuse(5, func(int) string { return s.signer.Token(claims(object{"sub": nil})) }); n != 5 {
		t.Errorf("%d lines of another reason", n)
	}
	if n := refuse(5, func(int) string { return s.signer.Token(claims(object{"sub": 7})) }); n != 5 {
		t.Errorf("%d lines of a third reason with the same code", n)
	}
	s.clock.Move(time.Second)
	s.call("GET", "/me", "Authorization", "Bearer "+unknown(0))
	if log := s.log.take(); !strings.Contains(log, "skipped=90") {
		t.Errorf("the next second: %s", log)
	}
	if n := refuse(100, unknown); n != 9 {
		t.Errorf("%d more lines in the next second", n)
	}
}
