package jose_test

import (
	"encoding/json"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/picoauth/picoauth/clientauth/jose"
)

var classical = []string{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA}

// What go-jose signs is verified here, and what is signed here go-jose verifies with the key from our JWK.
func TestInteropWithGoJOSE(t *testing.T) {
	for _, alg := range classical {
		p := makePairs()[alg]
		signer := must(gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(alg), Key: p.private}, nil))
		token := must(must(signer.Sign([]byte(`{"sub":"alice"}`))).CompactSerialize())
		parts := must(jose.ParseCompact(token))
		if err := p.public.Verify(parts.Algorithm, parts.SigningInput, parts.Signature); err != nil {
			t.Errorf("%s by go-jose: %v", alg, err)
		}

		method, _ := jose.SigningMethod(alg)
		ours := must(jwt.NewWithClaims(method, jwt.MapClaims{"sub": "alice"}).SignedString(p.private))
		var set gojose.JSONWebKeySet
		if err := json.Unmarshal(must(json.Marshal(jose.Set{Keys: []jose.Key{p.public}})), &set); err != nil {
			t.Fatal(err)
		}
		signed := must(gojose.ParseSigned(ours, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)}))
		if _, err := signed.Verify(set.Key(p.public.ID)[0]); err != nil {
			t.Errorf("%s by us: %v", alg, err)
		}
	}
}

// A wallet computes its thumbprint from raw coordinates; it is the one of the key.
func TestThumbprintsFromRawKeys(t *testing.T) {
	for _, alg := range []string{jose.ES256, jose.Ed25519, jose.MLDSA44} {
		key := makePairs()[alg].public
		var members map[string]string
		if err := json.Unmarshal(must(json.Marshal(key)), &members); err != nil {
			t.Fatal(err)
		}
		raw := func(name string) []byte { return must(jose.DecodeBase64(members[name])) }
		got := ""
		switch jose.KeyType(alg) {
		case jose.KeyTypeEC:
			got = jose.ThumbprintEC(members["crv"], raw("x"), raw("y"))
		case jose.KeyTypeOKP:
			got = jose.ThumbprintOKP(members["crv"], raw("x"))
		case jose.KeyTypeAKP:
			got = jose.ThumbprintAKP(members["alg"], raw("pub"))
		}
		if got != key.ID {
			t.Errorf("%s: %s, want %s", alg, got, key.ID)
		}
	}
}
