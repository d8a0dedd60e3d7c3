package testutil

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// What a token says that was not told otherwise.
const (
	defaultSubject = "alice"
	defaultRole    = "user"
	defaultLife    = 15 * time.Minute
)

// Token says which token an [Issuer] is to make. The zero value is a valid access token, with the header and the claims
// that serverauth's have: sub, iss, aud, iat, nbf, exp, jti, client_id, sid and role.
type Token struct {
	// Subject is the claim sub; empty is "alice".
	Subject string
	// Role is the claim role; empty is "user".
	Role string
	// Life is the time from iat to exp, in whole seconds; 0 is 15 minutes.
	Life time.Duration
	// Algorithm is one of the issuer's; empty is its first.
	Algorithm string
	// Claims and Header are put over the claims and the header that the token would have; a nil value removes one. The
	// token is signed with the key of Algorithm whatever the header says.
	Claims, Header map[string]any
	// Flaw is what is wrong with it, applied last; empty is nothing.
	Flaw Flaw
}

// Mint makes a token. A token that cannot be made fails the test.
func (i *Issuer) Mint(t Token) string {
	i.tb.Helper()
	d := i.draft(t)
	if t.Flaw == "" {
		return i.sign(d)
	}
	spoil, known := flaws[t.Flaw]
	if !known {
		i.tb.Fatalf("testutil: no token has the flaw %q; there are %v", t.Flaw, Flaws())
	}
	return spoil(i, d)
}

// MintRaw signs any two texts as header and claims, with the key of an algorithm of the issuer's: for tokens that no
// map can say, such as one with a claim twice. An empty algorithm is the issuer's first.
func (i *Issuer) MintRaw(algorithm, header, claims string) string {
	i.tb.Helper()
	return i.signed(i.signer(algorithm), jose.EncodeBase64([]byte(header))+"."+jose.EncodeBase64([]byte(claims)))
}

// draft is a token before it is signed.
type draft struct {
	key            signingKey
	now            time.Time
	header, claims map[string]any
}

func (i *Issuer) draft(t Token) *draft {
	i.tb.Helper()
	now := i.now()
	d := &draft{key: i.signer(t.Algorithm), now: now}
	d.header = map[string]any{"alg": d.key.public.Algorithm, "kid": d.key.public.ID, "typ": "at+jwt"}
	d.claims = map[string]any{
		"sub": cmp.Or(t.Subject, defaultSubject), "role": cmp.Or(t.Role, defaultRole),
		"iss": i.Name, "aud": i.Audience, "client_id": i.Audience, "jti": rand.Text(), "sid": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Unix() + int64(cmp.Or(t.Life, defaultLife)/time.Second),
	}
	override(d.header, t.Header)
	override(d.claims, t.Claims)
	return d
}

// override puts changes over values; a nil value removes one.
func override(values, changes map[string]any) {
	maps.Copy(values, changes)
	maps.DeleteFunc(values, func(_ string, value any) bool { return value == nil })
}

// at sets a time claim, relative to the draft's now.
func (d *draft) at(claim string, after time.Duration) { d.claims[claim] = d.now.Add(after).Unix() }

// sign signs a draft with its key.
func (i *Issuer) sign(d *draft) string {
	i.tb.Helper()
	return i.signed(d.key, i.input(d))
}

func (i *Issuer) signed(key signingKey, input string) string {
	i.tb.Helper()
	method, _ := jose.SigningMethod(key.public.Algorithm)
	signature, err := method.Sign(input, key.private)
	if err != nil {
		i.tb.Fatalf("testutil: sign a token: %v", err)
	}
	return input + "." + jose.EncodeBase64(signature)
}

// input is what the signature covers: header and claims, encoded.
func (i *Issuer) input(d *draft) string {
	i.tb.Helper()
	return i.encode(d.header) + "." + i.encode(d.claims)
}

func (i *Issuer) encode(part map[string]any) string {
	i.tb.Helper()
	text, err := json.Marshal(part)
	if err != nil {
		i.tb.Fatalf("testutil: a part of a token: %v", err)
	}
	return jose.EncodeBase64(text)
}

// TokenClaims reads the claims of a token without verifying anything.
func TokenClaims(token string) (map[string]any, error) {
	parts, err := jose.ParseCompact(token)
	if err != nil {
		return nil, fmt.Errorf("testutil: %w", err)
	}
	return jose.ParseObject(parts.Payload)
}
