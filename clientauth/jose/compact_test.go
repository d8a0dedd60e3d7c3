package jose_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/clientauth/jose"
)

func compact(header, payload string) string {
	return jose.EncodeBase64([]byte(header)) + "." + jose.EncodeBase64([]byte(payload)) + ".c2ln"
}

func TestParseCompact(t *testing.T) {
	token := compact(`{"typ":"at+jwt","alg":"RS256","kid":"k","jku":"https://evil","jwk":{"kty":"oct"}}`, `{"sub":"a"}`)
	got, err := jose.ParseCompact(token)
	if err != nil {
		t.Fatal(err)
	}
	want := &jose.Compact{Algorithm: "RS256", KeyID: "k", Type: "at+jwt", Payload: []byte(`{"sub":"a"}`),
		SigningInput: token[:strings.LastIndex(token, ".")], Signature: []byte("sig"),
		Header: map[string]any{"typ": "at+jwt", "alg": "RS256", "kid": "k", "jku": "https://evil", "jwk": map[string]any{"kty": "oct"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestMalformedCompactTokens(t *testing.T) {
	good := compact(`{"alg":"RS256"}`, `{}`)
	for name, token := range map[string]string{
		"empty":             "",
		"one part":          "abc",
		"two parts":         "YQ.YQ",
		"four parts":        good + ".YQ",
		"no signature":      good[:strings.LastIndex(good, ".")+1],
		"padding":           good + "=",
		"line break":        good + "\n",
		"break inside":      strings.Replace(good, ".", "\r\n.", 1),
		"space":             " " + good,
		"standard alphabet": good + "+/",
		"trailing bits":     good[:len(good)-4] + "c2lh" + "aB",
		"bad header":        "!." + good,
		"header not JSON":   compact(`nope`, `{}`),
		"header a list":     compact(`[]`, `{}`),
		"header twice":      compact(`{"alg":"RS256","alg":"none"}`, `{}`),
		"header escaped":    compact(`{"alg":"RS256","\u0061lg":"none"}`, `{}`),
		"header trailing":   compact(`{"alg":"RS256"}{}`, `{}`),
		"no alg":            compact(`{}`, `{}`),
		"alg number":        compact(`{"alg":1}`, `{}`),
		"alg null":          compact(`{"alg":null}`, `{}`),
		"kid list":          compact(`{"alg":"RS256","kid":["a"]}`, `{}`),
		"typ object":        compact(`{"alg":"RS256","typ":{}}`, `{}`),
		"kid huge":          compact(`{"alg":"RS256","kid":"`+strings.Repeat("k", 257)+`"}`, `{}`),
		"header huge":       compact(`{"alg":"RS256","x":"`+strings.Repeat("x", jose.MaxHeaderBytes)+`"}`, `{}`),
		"token huge":        compact(`{"alg":"RS256"}`, strings.Repeat("x", jose.MaxTokenBytes)),
		"crit":              compact(`{"alg":"RS256","crit":["exp"],"exp":1}`, `{}`),
		"crit empty":        compact(`{"alg":"RS256","crit":[]}`, `{}`),
	} {
		if got, err := jose.ParseCompact(token); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := jose.ParseCompact(compact(`{"alg":"RS256","crit":[]}`, `{}`)); !errors.Is(err, jose.ErrCritical) {
		t.Errorf("crit: %v", err)
	}
}

func TestParseObjectAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range []string{
		`{}`, ` { } `, `{"a":[]}`, `{"a":[1,2.5,-0,1e3,-1.5E-2,0.1],"b":{"c":null,"d":true,"e":false}}`,
		`{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀"}`, "\t{\r\n\"a\" : [ 1 , { } ] }\n", `{"":0}`, `{"a":"\u0000"}`,
	} {
		got, err := jose.ParseObject([]byte(text))
		var want map[string]any
		if e := json.Unmarshal([]byte(text), &want); e != nil || err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParseObjectRefuses(t *testing.T) {
	for _, text := range []string{
		``, ` `, `null`, `1`, `"a"`, `[]`, `{`, `}`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{a:1}`,
		`{'a':1}`, `{"a":1}x`, `{"a":1}{}`, `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":[`, `{"a":tru}`, `{"a":nul`, `{"a":NaN}`, `{"a":Infinity}`,
		`{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":+1}`, `{"a":0x10}`, `{"a":1e400}`, `{"a":-1e999}`, `{"a":1_0}`,
		`{"a":"`, `{"a":"\`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12+4"}`, `{"a":"\ud800"}`, `{"a":"\ud800\u0041"}`, `{"a":"\udc00"}`,
		"{\"a\":\"\n\"}", "{\"a\":\"\\n\x01\"}", "{\"a\":\"\xff\"}", "{\"a\":\"\\\"\xff\"}", "{\"\xc0\x80\":1}",
		`{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"a":{"b":1,"b":2}}`, `{"a":[{"b":1,"b":2}]}`, "\ufeff{}", "{\"a\":\x00}", "{\x00}",
		`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
		strings.Repeat(`{"a":`, 33) + `1` + strings.Repeat("}", 33),
		strings.Repeat(`{"a":`, 100000),
	} {
		if got, err := jose.ParseObject([]byte(text)); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%.60q: %v, %v", text, got, err)
		}
	}
	if _, err := jose.ParseObject([]byte(`{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`)); err != nil {
		t.Errorf("32 levels are allowed: %v", err)
	}
}

func FuzzParseObject(f *testing.F) {
	f.Add(`{"a":[1,2.5,{"b":"\ud83d\ude00"}],"c":null}`)
	f.Add(`{"a":01}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := jose.ParseObject([]byte(text))
		if err != nil {
			return
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %v, encoding/json: %v, %v", text, got, want, err)
		}
	})
}

func FuzzParseCompact(f *testing.F) {
	f.Add(compact(`{"alg":"RS256","kid":"k","typ":"JWT"}`, `{"sub":"a"}`))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := jose.ParseCompact(token)
		if err != nil {
			if !errors.Is(err, jose.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		parts := strings.Split(token, ".")
		if parts[1] != jose.EncodeBase64(c.Payload) || parts[2] != jose.EncodeBase64(c.Signature) ||
			c.SigningInput != parts[0]+"."+parts[1] || c.Algorithm == "" {
			t.Fatalf("%q: %+v", token, c)
		}
	})
}
