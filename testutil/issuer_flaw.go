package testutil

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// Flaw is something wrong with a token for which every service has to refuse it, with 401.
type Flaw string

// The flaws of tokens.
const (
	// Expired is a token that was valid until an hour ago.
	Expired Flaw = "expired"
	// NotYetValid is a token that will be valid in an hour.
	NotYetValid Flaw = "not yet valid"
	// NoExpiry is a token without exp.
	NoExpiry Flaw = "no expiry"
	// WrongAudience is a token for another service.
	WrongAudience Flaw = "wrong audience"
	// WrongIssuer is a token that says another issuer made it.
	WrongIssuer Flaw = "wrong issuer"
	// RefreshToken is a refresh token: "typ": "rt+jwt", "type": "refresh". Like the Python server's, and unlike
	// serverauth's, it is signed with a published key.
	RefreshToken Flaw = "refresh token"
	// Unsigned is a token with "alg": "none" and no signature.
	Unsigned Flaw = "unsigned"
	// SymmetricKey is a token with "alg": "HS256" whose secret is the text of the public key.
	SymmetricKey Flaw = "public key as HMAC secret"
	// UnknownKey is a token signed with a key that the issuer does not publish, under that key's own kid.
	UnknownKey Flaw = "unknown key"
	// StolenKeyID is a token signed with another key than the issuer's, under the kid of the issuer's.
	StolenKeyID Flaw = "kid of another key"
	// EmbeddedKey is a token that brings the key it is signed with, in its header.
	EmbeddedKey Flaw = "embedded key"
	// TamperedClaims is a token whose claims were changed after it was signed: its role became admin, and it has a claim more.
	TamperedClaims Flaw = "tampered claims"
	// TamperedSignature is a token with a wrong bit in its signature.
	TamperedSignature Flaw = "tampered signature"
	// UnknownExtension is a token that demands, in "crit", an extension that nobody knows.
	UnknownExtension Flaw = "unknown extension"
)

// flaws make the tokens that have them.
var flaws = map[Flaw]func(*Issuer, *draft) string{
	Expired: func(i *Issuer, d *draft) string {
		d.at("iat", -2*time.Hour)
		d.at("nbf", -2*time.Hour)
		d.at("exp", -time.Hour)
		return i.sign(d)
	},
	NotYetValid: func(i *Issuer, d *draft) string {
		d.at("nbf", time.Hour)
		d.at("exp", 2*time.Hour)
		return i.sign(d)
	},
	NoExpiry:          withoutExpiry,
	WrongAudience:     withClaim("aud", "somebody-else"),
	WrongIssuer:       withClaim("iss", "https://impostor.example.com"),
	RefreshToken:      asRefreshToken,
	Unsigned:          unsigned,
	SymmetricKey:      withPublicKeyAsSecret,
	UnknownKey:        withUnknownKey,
	StolenKeyID:       withStolenKeyID,
	EmbeddedKey:       withEmbeddedKey,
	TamperedClaims:    withTamperedClaims,
	TamperedSignature: withTamperedSignature,
	UnknownExtension: func(i *Issuer, d *draft) string {
		d.header["crit"], d.header["https://example.com/x"] = []string{"https://example.com/x"}, true
		return i.sign(d)
	},
}

// Flaws are all flaws, sorted: a service's test refuses a token with each of them.
func Flaws() []Flaw { return slices.Sorted(maps.Keys(flaws)) }

func withoutExpiry(i *Issuer, d *draft) string {
	delete(d.claims, "exp")
	return i.sign(d)
}

func withClaim(name string, value any) func(*Issuer, *draft) string {
	return func(i *Issuer, d *draft) string {
		d.claims[name] = value
		return i.sign(d)
	}
}

func asRefreshToken(i *Issuer, d *draft) string {
	d.header["typ"], d.claims["type"] = "rt+jwt", "refresh"
	return i.sign(d)
}

func unsigned(i *Issuer, d *draft) string {
	d.header["alg"] = "none"
	return i.input(d) + "."
}

// withPublicKeyAsSecret uses the form in which the key is handed around: PEM, or the JWK of a key that has no PEM.
func withPublicKeyAsSecret(i *Issuer, d *draft) string {
	i.tb.Helper()
	secret, err := json.Marshal(d.key.public)
	if err != nil {
		i.tb.Fatalf("testutil: %v", err)
	}
	if der, err := x509.MarshalPKIXPublicKey(d.key.public.Public); err == nil {
		secret = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	d.header["alg"] = "HS256"
	input := i.input(d)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + jose.EncodeBase64(mac.Sum(nil))
}

func withUnknownKey(i *Issuer, d *draft) string {
	d.key = newSigningKey(i.tb, d.key.public.Algorithm)
	d.header["kid"] = d.key.public.ID
	return i.sign(d)
}

func withStolenKeyID(i *Issuer, d *draft) string {
	d.key = newSigningKey(i.tb, d.key.public.Algorithm)
	return i.sign(d)
}

func withEmbeddedKey(i *Issuer, d *draft) string {
	d.key = newSigningKey(i.tb, d.key.public.Algorithm)
	d.header["kid"], d.header["jwk"] = d.key.public.ID, d.key.public
	return i.sign(d)
}

func withTamperedClaims(i *Issuer, d *draft) string {
	signature := lastPart(i.sign(d))
	d.claims["role"], d.claims["tampered"] = "admin", true
	return i.input(d) + "." + signature
}

func withTamperedSignature(i *Issuer, d *draft) string {
	i.tb.Helper()
	token := i.sign(d)
	signature, err := jose.DecodeBase64(lastPart(token))
	if err != nil {
		i.tb.Fatalf("testutil: %v", err)
	}
	signature[len(signature)/2] ^= 1
	return token[:strings.LastIndexByte(token, '.')+1] + jose.EncodeBase64(signature)
}

func lastPart(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }
