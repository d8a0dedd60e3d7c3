package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/app/problem"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// chain is a claim act of links, the one who acts now first.
func chain(links ...string) any {
	var act any
	for i := len(links) - 1; i >= 0; i-- {
		link := object{"sub": links[i], "client_id": "client-of-" + links[i]}
		if act != nil {
			link["act"] = act
		}
		act = link
	}
	return act
}

func TestActorChain(t *testing.T) {
	c, s := newClock(), signers()[jose.EdDSA]
	v := newValidator(t, trusting(c, s))
	caller, err := v.Validate(t.Context(), s.Token(claims(object{"act": chain("now", "before", "first"), "scope": "read", "role": "admin", "task_id": "t-1"})))
	if err != nil {
		t.Fatal(err)
	}
	want := &verify.Actor{Subject: "now", ClientID: "client-of-now", Actor: &verify.Actor{Subject: "before", ClientID: "client-of-before",
		Actor: &verify.Actor{Subject: "first", ClientID: "client-of-first"}}}
	if caller.Subject != "alice" || !reflect.DeepEqual(caller.Actor, want) {
		t.Errorf("%q, %+v", caller.Subject, caller.Actor)
	}
	for _, test := range []struct {
		actors []string
		want   bool
	}{{nil, true}, {[]string{"now"}, true}, {[]string{"client-of-now"}, true}, {[]string{"x", "now"}, true},
		{[]string{"before"}, false}, {[]string{"client-of-first"}, false}, {[]string{"alice"}, false}, {[]string{""}, false}} {
		if got := caller.HasActor(test.actors...); got != test.want {
			t.Errorf("HasActor(%q) is %t", test.actors, got)
		}
	}
	agent, found := verify.AgentFromContext(verify.NewContext(t.Context(), caller))
	if !found || agent.Subject != "now" || agent.AgentID != "client-of-now" || agent.UserID != "alice" || agent.SessionID != "session-1" ||
		agent.TaskID != "t-1" || agent.Role != "" || !reflect.DeepEqual(agent.Scopes, []string{"read"}) ||
		!reflect.DeepEqual(agent.ParentChain, []string{"before", "first"}) {
		t.Errorf("%+v", agent)
	}
}

func TestActorThatNamesNobodyIsMalformed(t *testing.T) {
	c, s := newClock(), signers()[jose.EdDSA]
	v := newValidator(t, trusting(c, s))
	for name, test := range map[string]struct {
		act  any
		want error
	}{
		"null":           {json.RawMessage("null"), nil},
		"client alone":   {object{"client_id": "c"}, nil},
		"eight links":    {chain("1", "2", "3", "4", "5", "6", "7", "8"), nil},
		"nine links":     {chain("1", "2", "3", "4", "5", "6", "7", "8", "9"), verify.ErrMalformedToken},
		"text":           {"agent", verify.ErrMalformedToken},
		"list":           {[]any{object{"sub": "a"}}, verify.ErrMalformedToken},
		"empty":          {object{}, verify.ErrMalformedToken},
		"empty sub":      {object{"sub": ""}, verify.ErrMalformedToken},
		"sub a number":   {object{"sub": 7}, verify.ErrMalformedToken},
		"nested text":    {object{"sub": "a", "act": "b"}, verify.ErrMalformedToken},
		"nested nobody":  {object{"sub": "a", "act": object{"iss": "x"}}, verify.ErrMalformedToken},
		"client a list":  {object{"sub": "a", "client_id": []string{"c"}}, verify.ErrMalformedToken},
		"false, no null": {false, verify.ErrMalformedToken},
	} {
		if _, err := v.Validate(t.Context(), s.Token(claims(object{"jti": name, "act": test.act}))); !errors.Is(err, test.want) || test.want == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRevokingAnActorEndsWhatItDoesForOthers(t *testing.T) {
	index := verify.NewRevocationIndex()
	c, s := newClock(), signers()[jose.EdDSA]
	cfg := trusting(c, s)
	cfg.Issuers[0].Denylist = index
	v := newValidator(t, cfg)
	token, another := s.Token(claims(object{"act": chain("now", "before")})), s.Token(claims(object{"act": chain("other")}))
	for _, text := range []string{token, another} {
		if _, err := v.Validate(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	index.Apply(verify.Revocation{Sub: "before", RevokedAt: epoch.Unix() + 1})
	if _, err := v.Validate(t.Context(), token); !errors.Is(err, verify.ErrTokenRevoked) {
		t.Errorf("the token of a revoked actor: %v", err)
	}
	if _, err := v.Validate(t.Context(), another); err != nil {
		t.Errorf("the token of another actor: %v", err)
	}
	if _, err := v.Validate(t.Context(), s.Token(claims(object{"jti": "later", "iat": epoch.Unix() + 2, "act": chain("before")}))); err != nil {
		t.Errorf("a token of later: %v", err)
	}
	index.Apply(verify.Revocation{SID: "fleet session", RevokedAt: epoch.Unix()})
	if _, err := v.Validate(t.Context(), s.Token(claims(object{"iat": epoch.Unix() + 2, "act": chain("now", "fleet session")}))); !errors.Is(err, verify.ErrTokenRevoked) {
		t.Errorf("the token of an actor whose session was revoked: %v", err)
	}
}

func TestWhoMayActForSomebody(t *testing.T) {
	s := newSite(t, nil)
	person, acted := s.bearer(object{"scope": "pay"}), s.bearer(object{"scope": "pay", "act": chain("agent-7", "agent-1")})
	narrow := s.bearer(object{"scope": "read", "act": chain("agent-7")})
	header := s.bearer(object{"sub": "agent-9", "scopes": []string{"*"}})
	delegated := s.bearer(object{"sub": "bob", "scope": "pay", "act": chain("agent-5")})
	for _, test := range []struct {
		name          string
		check         verify.Check
		bearer, agent string
		status        int
		code          string
	}{
		{"an actor, a person", verify.HasActor(), person, "", 403, "forbidden"},
		{"an actor", verify.HasActor(), acted, "", 200, ""},
		{"an actor, nobody", verify.HasActor(), "", "", 401, "token_required"},
		{"this actor", verify.HasActor("client-of-agent-7"), acted, "", 200, ""},
		{"this actor, before", verify.HasActor("agent-1"), acted, "", 403, "forbidden"},
		{"this actor, an agent beside", verify.HasActor("agent-9"), person, header, 403, "forbidden"},
		{"no actor, a person", verify.HasNoActor, person, "", 200, ""},
		{"no actor, an actor", verify.HasNoActor, acted, "", 403, "forbidden"},
		{"no actor, an agent beside", verify.HasNoActor, person, header, 403, "forbidden"},
		{"no actor, nobody", verify.HasNoActor, "", "", 401, "token_required"},
		{"scope, a person", verify.HasScope("pay"), person, "", 200, ""},
		{"scope, an actor", verify.HasScope("pay"), acted, "", 200, ""},
		{"scope, an actor without", verify.HasScope("pay"), narrow, "", 403, "insufficient_scope"},
		{"scope, an actor without and an agent with", verify.HasScope("pay"), narrow, header, 403, "insufficient_scope"},
		{"scope, an actor with and an agent with", verify.HasScope("pay"), acted, header, 200, ""},
		{"scope, an agent that acts, in the header", verify.HasScope("pay"), s.bearer(nil), delegated, 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.ServeMux = http.NewServeMux()
			s.Handle("/", s.authenticator.OptionalHandler(test.check.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))))
			var header []string
			if test.bearer != "" {
				header = append(header, "Authorization", test.bearer)
			}
			if test.agent != "" {
				header = append(header, verify.AgentHeader, test.agent)
			}
			if w := s.call("GET", "/", header...); w.Code != test.status || !strings.Contains(w.Body.String(), test.code) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	defer func() {
		if recover() != nil {
			t.Error("no actor was named, and it panicked")
		}
	}()
	var refused *problem.Problem
	if err := verify.HasActor("a", "b")(verify.NewContext(context.Background(), &verify.SecurityContext{})); !errors.As(err, &refused) ||
		refused.Detail != "one of these actors is required: a, b" {
		t.Errorf("%v", err)
	}
}
