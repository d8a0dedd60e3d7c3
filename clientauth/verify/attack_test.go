package verify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// attack is a token that must be refused. keyless says that no key may even be looked up for it.
type attack struct {
	token   string
	want    error
	keyless bool
}

func TestAttackCorpus(t *testing.T) {
	c := newClock()
	victim := []signer{signers()[jose.RS256], signers()[jose.ES256], signers()[jose.EdDSA], signers()[jose.MLDSA65], signers()[jose.PS256]}
	corpus := map[string]attack{}
	for _, part := range []map[string]attack{
		algorithmAttacks(victim[0]), headerAttacks(victim[0]), encodingAttacks(victim[0]), payloadAttacks(victim[0]),
		timeAttacks(victim[0]), audienceAttacks(victim[0]), typeAttacks(victim[0]), signatureAttacks(victim), identityAttacks(victim[0]),
	} {
		maps.Copy(corpus, part)
	}
	for _, cacheSize := range []int{0, 1000} {
		cfg := trusting(c, victim...)
		cfg.CacheSize = cacheSize
		keys := &countingKeys{KeySet: cfg.Issuers[0].Keys}
		cfg.Issuers[0].Keys = keys
		v := newValidator(t, cfg)
		for _, s := range victim {
			if _, err := v.Validate(context.Background(), s.Token(claims(nil))); err != nil {
				t.Fatalf("the honest %s token: %v", s.Alg, err)
			}
		}
		for name, a := range corpus {
			before := keys.calls.Load()
			caller, err := v.Validate(context.Background(), a.token)
			if caller != nil || !errors.Is(err, a.want) || !errors.Is(err, verify.ErrInvalidToken) {
				t.Errorf("%s: %v, %v; want %v", name, caller, err, a.want)
			}
			if asked := keys.calls.Load() - before; a.keyless && asked != 0 {
				t.Errorf("%s: refused only after asking for a key", name)
			}
		}
	}
}

func algorithmAttacks(s signer) map[string]attack {
	unsigned := func(alg any, signature string) string {
		header := string(must(json.Marshal(s.Header(object{"alg": alg}))))
		return jose.EncodeBase64([]byte(header)) + "." + jose.EncodeBase64(must(json.Marshal(claims(nil)))) + "." + signature
	}
	all := map[string]attack{}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "none ", "HS256", "HS384", "HS512", "hs256", "rs256", "RS256 ", "ES256K",
		"ES512", "PS384", "RSA-OAEP", "A128GCM", "dir", "../RS256", "RS256\x00", "\u0130", "ES384"} {
		all["alg "+alg] = attack{unsigned(alg, "AAAA"), verify.ErrUnsupportedAlgorithm, true}
		all["alg "+alg+" unsigned"] = attack{unsigned(alg, ""), verify.ErrMalformedToken, true}
	}
	public := s.Key.Public.(*rsa.PublicKey)
	der := must(x509.MarshalPKIXPublicKey(public))
	for name, secret := range map[string][]byte{
		"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"PKCS1": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(public)}),
		"JWK":   must(json.Marshal(s.Key)), "modulus": public.N.Bytes(), "empty": nil,
	} {
		input := strings.TrimSuffix(unsigned("HS256", ""), ".")
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		all["HS256 keyed with the public "+name] = attack{input + "." + jose.EncodeBase64(mac.Sum(nil)), verify.ErrUnsupportedAlgorithm, true}
	}
	es := signers()[jose.ES256]
	all["another key's algorithm"] = attack{es.Sign(s.Header(object{"alg": jose.ES256}), claims(nil)), verify.ErrUnknownKey, false}
	all["PS256 with an RS256 key"] = attack{signers()[jose.PS256].Sign(s.Header(object{"alg": jose.PS256}), claims(nil)), verify.ErrUnknownKey, false}
	all["RS512 not allowed"] = attack{signers()[jose.RS512].Sign(s.Header(object{"alg": jose.RS512}), claims(nil)), verify.ErrUnsupportedAlgorithm, true}
	return all
}

func headerAttacks(s signer) map[string]attack {
	thief := fresh(jose.ES256)
	own := must(json.Marshal(thief.Key))
	all := map[string]attack{
		"embedded jwk":          {thief.Sign(thief.Header(object{"jwk": json.RawMessage(own), "kid": s.Key.ID}), claims(nil)), verify.ErrUnknownKey, false},
		"embedded jwk, own kid": {thief.Sign(thief.Header(object{"jwk": json.RawMessage(own)}), claims(nil)), verify.ErrUnknownKey, false},
		"jku":                   {thief.Sign(thief.Header(object{"jku": "https://evil.example/jwks"}), claims(nil)), verify.ErrUnknownKey, false},
		"x5u":                   {thief.Sign(thief.Header(object{"x5u": "https://evil.example/c.pem"}), claims(nil)), verify.ErrUnknownKey, false},
		"x5c":                   {thief.Sign(thief.Header(object{"x5c": []string{"AAAA"}}), claims(nil)), verify.ErrUnknownKey, false},
		"crit":                  {s.Sign(s.Header(object{"crit": []string{"exp"}}), claims(nil)), verify.ErrMalformedToken, true},
		"crit empty":            {s.Sign(s.Header(object{"crit": []string{}}), claims(nil)), verify.ErrMalformedToken, true},
		"crit b64":              {s.Sign(s.Header(object{"crit": []string{"b64"}, "b64": false}), claims(nil)), verify.ErrMalformedToken, true},
		"alg twice":             {s.Raw(`{"alg":"RS256","alg":"none","kid":"`+s.Key.ID+`"}`, string(must(json.Marshal(claims(nil))))), verify.ErrMalformedToken, true},
		"alg twice, escaped":    {s.Raw(`{"alg":"RS256","al\u0067":"none","kid":"`+s.Key.ID+`"}`, string(must(json.Marshal(claims(nil))))), verify.ErrMalformedToken, true},
		"kid twice":             {s.Raw(`{"alg":"RS256","kid":"x","kid":"`+s.Key.ID+`"}`, string(must(json.Marshal(claims(nil))))), verify.ErrMalformedToken, true},
		"kid number":            {s.Sign(s.Header(object{"kid": 7}), claims(nil)), verify.ErrMalformedToken, true},
		"kid list":              {s.Sign(s.Header(object{"kid": []string{s.Key.ID}}), claims(nil)), verify.ErrMalformedToken, true},
		"kid huge":              {s.Sign(s.Header(object{"kid": strings.Repeat("k", 300)}), claims(nil)), verify.ErrMalformedToken, true},
		"header huge":           {s.Sign(s.Header(object{"x": strings.Repeat("x", 9000)}), claims(nil)), verify.ErrMalformedToken, true},
		"header deep":           {s.Raw(`{"alg":"RS256","x":`+strings.Repeat("[", 2000)+strings.Repeat("]", 2000)+`}`, "{}"), verify.ErrMalformedToken, true},
		"header a list":         {s.Raw(`["RS256"]`, "{}"), verify.ErrMalformedToken, true},
		"header trailing":       {s.Raw(`{"alg":"RS256"} {}`, "{}"), verify.ErrMalformedToken, true},
		"alg a list":            {s.Sign(s.Header(object{"alg": []string{"RS256"}}), claims(nil)), verify.ErrMalformedToken, true},
		"alg missing":           {s.Sign(s.Header(object{"alg": nil}), claims(nil)), verify.ErrMalformedToken, true},
	}
	for _, kid := range []string{"../../../../dev/null", "..\\..\\key", "' OR 1=1 --", "/etc/passwd", "\x00", s.Key.ID + "\x00", s.Key.ID + " ",
		strings.ToUpper(s.Key.ID), "${jndi:ldap://evil}", "https://evil.example/key", "*", "0"} {
		all["kid "+kid] = attack{s.Sign(s.Header(object{"kid": kid}), claims(nil)), verify.ErrUnknownKey, false}
	}
	return all
}

func encodingAttacks(s signer) map[string]attack {
	good := s.Token(claims(nil))
	parts := strings.Split(good, ".")
	all := map[string]attack{}
	for name, token := range map[string]string{
		"nothing": "", "dots": "..", "one part": parts[0], "two parts": parts[0] + "." + parts[1], "four parts": good + ".AAAA", "five parts": good + "..",
		"no signature": parts[0] + "." + parts[1] + ".", "no payload": parts[0] + ".." + parts[2], "no header": "." + parts[1] + "." + parts[2],
		"padded": good + "==", "newline at the end": good + "\n", "newline inside": parts[0] + "." + parts[1][:9] + "\n" + parts[1][9:] + "." + parts[2],
		"carriage return": parts[0] + "\r." + parts[1] + "." + parts[2], "space": " " + good, "tab": good + "\t", "quoted": `"` + good + `"`,
		"standard alphabet": parts[0] + "." + parts[1] + "." + strings.Repeat("+/", 171), "NUL": good + "\x00", "not ASCII": good + "é",
		"JSON form": `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"huge":      strings.Repeat("A", 1<<20), "huge, three parts": parts[0] + "." + strings.Repeat("A", 1<<20) + "." + parts[2],
	} {
		all["form: "+name] = attack{token, verify.ErrMalformedToken, true}
	}
	// An RS256 signature of 256 bytes leaves two unused bits in its last character: four spellings decode alike.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", good[len(good)-1])
	other := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1]
	all["form: not canonical"] = attack{good[:len(good)-1] + string(other), verify.ErrMalformedToken, true}
	return all
}

func payloadAttacks(s signer) map[string]attack {
	header := string(must(json.Marshal(s.Header(nil))))
	body := strings.TrimSuffix(string(must(json.Marshal(claims(nil)))), "}")
	all := map[string]attack{}
	for name, payload := range map[string]string{
		"empty": "", "null": "null", "a list": "[]", "a text": `"x"`, "truncated": body, "trailing": body + "}x", "two objects": body + "}{}",
		"sub twice": body + `,"sub":"mallory"}`, "sub twice, escaped": body + `,"s\u0075b":"mallory"}`, "exp twice": body + `,"exp":9999999999}`,
		"nested twice": body + `,"x":{"a":1,"a":2}}`, "deep list": body + `,"x":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + "}",
		"deep object": body + `,"x":` + strings.Repeat(`{"a":`, 1500) + "1" + strings.Repeat("}", 1501), "deep and open": body + `,"x":` + strings.Repeat("[", 9000),
		"not UTF-8": body + ",\"x\":\"\xff\"}", "lone surrogate": body + `,"x":"\ud800"}`, "control character": body + ",\"x\":\"\x01\"}",
		"comment": body + `/**/}`, "NaN": body + `,"x":NaN}`, "infinite": body + `,"x":1e999}`, "byte order mark": "\ufeff" + body + "}",
		"another token": s.Token(claims(nil)),
	} {
		all["payload: "+name] = attack{s.Raw(header, payload), verify.ErrMalformedToken, true}
	}
	return all
}

func timeAttacks(s signer) map[string]attack {
	header := string(must(json.Marshal(s.Header(nil))))
	body := strings.TrimSuffix(string(must(json.Marshal(claims(object{"exp": nil, "nbf": nil, "iat": nil})))), "}")
	all := map[string]attack{"exp missing": {s.Raw(header, body+"}"), verify.ErrMalformedToken, true}}
	for _, exp := range []string{`"1779019200"`, `"never"`, `-1`, `0`, `-0`, `0.4`, `-1e300`, `1e400`, `-1e400`, `null`, `true`, `[]`, `[9999999999]`, `{}`,
		`Infinity`, `NaN`, `0x7fffffff`, `9e`, ``, `1e`} {
		all["exp "+exp] = attack{s.Raw(header, body+`,"exp":`+exp+"}"), verify.ErrMalformedToken, true}
	}
	past, future := epoch.Unix()-31, epoch.Unix()+31
	all["expired"] = attack{s.Token(claims(object{"exp": past + 1})), verify.ErrTokenExpired, true}
	all["expired long ago"] = attack{s.Token(claims(object{"exp": 1})), verify.ErrTokenExpired, true}
	all["nbf in the future"] = attack{s.Token(claims(object{"nbf": future})), verify.ErrTokenNotYetValid, true}
	all["iat in the future"] = attack{s.Token(claims(object{"iat": future})), verify.ErrTokenNotYetValid, true}
	all["nbf huge"] = attack{s.Token(claims(object{"nbf": 1e300})), verify.ErrTokenNotYetValid, true}
	for _, name := range []string{"nbf", "iat"} {
		for kind, value := range map[string]any{"a text": "1", "negative": -1, "a list": []int{1}, "a bool": true} {
			all[name+" "+kind] = attack{s.Token(claims(object{name: value})), verify.ErrMalformedToken, true}
		}
	}
	return all
}

func audienceAttacks(s signer) map[string]attack {
	all := map[string]attack{"aud missing": {s.Token(claims(object{"aud": nil})), verify.ErrMalformedToken, true}}
	for name, aud := range map[string]any{
		"other": "other", "empty": "", "upper case": "PICO", "with a space": "pico ", "prefix": "pic", "longer": "picopico", "joined": "other pico",
		"empty list": []string{}, "other list": []string{"a", "b"}, "nested list": []any{}, "list of empty": []string{""},
	} {
		all["aud "+name] = attack{s.Token(claims(object{"aud": aud})), verify.ErrWrongAudience, true}
	}
	for name, aud := range map[string]any{"a number": 7, "an object": object{"pico": true}, "a bool": true, "mixed list": []any{"pico", 7},
		"list in a list": []any{[]string{"pico"}}, "null": json.RawMessage("null"), "null in a list": []any{nil, "pico"}} {
		all["aud "+name] = attack{s.Token(claims(object{"aud": aud})), verify.ErrMalformedToken, true}
	}
	return all
}

func typeAttacks(s signer) map[string]attack {
	all := map[string]attack{}
	for _, typ := range []string{"rt+jwt", "RT+JWT", "application/rt+jwt", "dpop+jwt", "logout+jwt", "id_token", "secevent+jwt", "JWE", "JOSE", "at+jwt ", "x/at+jwt"} {
		all["typ "+typ] = attack{s.Sign(s.Header(object{"typ": typ}), claims(nil)), verify.ErrTokenType, true}
	}
	for _, name := range []string{"refresh", "Refresh", "REFRESH"} {
		all["claim type "+name] = attack{s.Token(claims(object{"type": name})), verify.ErrTokenType, true}
		all["claim typ "+name] = attack{s.Token(claims(object{"typ": name})), verify.ErrTokenType, true}
	}
	all["typ a number"] = attack{s.Sign(s.Header(object{"typ": 1}), claims(nil)), verify.ErrMalformedToken, true}
	return all
}

func TestTypesThatAreAllowedBeside(t *testing.T) {
	s := signers()[jose.EdDSA]
	for _, strict := range []bool{false, true} {
		cfg := trusting(newClock(), s)
		cfg.Types, cfg.RequireTyp = []string{"jose"}, strict
		v := must(verify.NewTokenValidator(cfg))
		for typ, taken := range map[string]bool{"JOSE": !strict, "jose": !strict, "JWE": false, "dpop+jwt": false, "at+jwt": true} {
			if _, err := v.Validate(t.Context(), s.Sign(s.Header(object{"typ": typ}), claims(nil))); (err == nil) != taken {
				t.Errorf("typ %s, strict %v: %v", typ, strict, err)
			}
		}
	}
}

func identityAttacks(s signer) map[string]attack {
	all := map[string]attack{}
	for _, iss := range []string{"https://evil.example", issuerName + "/", strings.ToUpper(issuerName), "http://auth.example.com", issuerName + "\x00"} {
		all["iss "+iss] = attack{s.Token(claims(object{"iss": iss})), verify.ErrUnknownIssuer, true}
	}
	for _, name := range []string{"iss", "sub"} {
		for kind, value := range map[string]any{"missing": nil, "empty": "", "a number": 7, "a list": []string{issuerName}, "null": json.RawMessage("null")} {
			all[name+" "+kind] = attack{s.Token(claims(object{name: value})), verify.ErrMalformedToken, true}
		}
	}
	for _, name := range []string{"jti", "sid", "wallet_id"} {
		all[name+" a number"] = attack{s.Token(claims(object{name: 7})), verify.ErrMalformedToken, true}
	}
	return all
}

func signatureAttacks(victims []signer) map[string]attack {
	all := map[string]attack{}
	for _, s := range victims {
		good := s.Token(claims(nil))
		input := good[:strings.LastIndex(good, ".")]
		signature := must(jose.DecodeBase64(good[len(input)+1:]))
		flipped := append([]byte{}, signature...)
		flipped[len(flipped)/2] ^= 1
		for name, forged := range map[string][]byte{
			"truncated": signature[:len(signature)-1], "extended": append(append([]byte{}, signature...), 0), "one byte": {1}, "zeros": make([]byte, len(signature)),
			"ones": []byte(strings.Repeat("\xff", len(signature))), "flipped": flipped, "huge": make([]byte, 8000), "of another token": s.Signature("other.text"),
			"leading zero": append([]byte{0}, signature...),
		} {
			all[s.Alg+" signature "+name] = attack{input + "." + jose.EncodeBase64(forged), verify.ErrInvalidSignature, false}
		}
		mallory := s.Token(claims(object{"sub": "mallory", "role": "admin"}))
		swapped := strings.Split(mallory, ".")[1]
		all[s.Alg+" payload swapped"] = attack{strings.Split(good, ".")[0] + "." + swapped + "." + strings.Split(good, ".")[2], verify.ErrInvalidSignature, false}
		if s.Alg != jose.RS256 && s.Alg != jose.PS256 {
			thief := fresh(s.Alg)
			all[s.Alg+" another key, known kid"] = attack{thief.Sign(s.Header(nil), claims(nil)), verify.ErrInvalidSignature, false}
		}
	}
	maps.Copy(all, curveAttacks(signers()[jose.ES256]))
	return all
}

func curveAttacks(s signer) map[string]attack {
	good := s.Token(claims(nil))
	input := good[:strings.LastIndex(good, ".")]
	signature := must(jose.DecodeBase64(good[len(input)+1:]))
	order := elliptic.P256().Params().N
	zero, n := make([]byte, 32), order.FillBytes(make([]byte, 32))
	digest := sha256.Sum256([]byte(input))
	der := must(ecdsa.SignASN1(rand.Reader, s.Private.(*ecdsa.PrivateKey), digest[:]))
	wrong := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	r, sv, _ := ecdsa.Sign(rand.Reader, wrong, digest[:])
	big384 := append(r.FillBytes(make([]byte, 48)), sv.FillBytes(make([]byte, 48))...)
	beyond := new(big.Int).Add(new(big.Int).SetBytes(signature[:32]), order)
	all := map[string]attack{}
	for name, forged := range map[string][]byte{
		"r zero": append(append([]byte{}, zero...), signature[32:]...), "s zero": append(append([]byte{}, signature[:32]...), zero...),
		"both zero": make([]byte, 64), "r is the order": append(append([]byte{}, n...), signature[32:]...), "s is the order": append(append([]byte{}, signature[:32]...), n...),
		"DER": der, "P-384": big384, "r beyond the order": append(beyond.FillBytes(make([]byte, 33)), signature[32:]...),
		"r and s swapped": append(append([]byte{}, signature[32:]...), signature[:32]...),
	} {
		all["ES256 "+name] = attack{input + "." + jose.EncodeBase64(forged), verify.ErrInvalidSignature, false}
	}
	return all
}
