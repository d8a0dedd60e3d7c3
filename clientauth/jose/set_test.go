package jose_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/clientauth/jose"
)

const sha256ID = crypto.SHA256

func sha256Of(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func TestASetIsReadKeyByKey(t *testing.T) {
	good := string(must(json.Marshal(makePairs()[jose.ES256].public)))
	pq := string(must(json.Marshal(makePairs()[jose.MLDSA65].public)))
	document := `{"keys":[{"kty":"XYZ"},` + good + `,null,7,{"kty":"oct","k":"AAAA"},` + pq + `],"extra":1}`
	keys, skipped, err := jose.ParseSet([]byte(document))
	if err != nil || len(keys) != 2 || len(skipped) != 4 {
		t.Fatalf("%d keys, %d skipped, %v", len(keys), len(skipped), err)
	}
	if !keys[0].Fits(jose.ES256) || !keys[1].Fits(jose.MLDSA65) {
		t.Error("the wrong keys were read")
	}
}

func TestBrokenSets(t *testing.T) {
	for name, test := range map[string]struct {
		document string
		want     error
	}{
		"empty":         {"", jose.ErrMalformed},
		"HTML":          {"<html>", jose.ErrMalformed},
		"no keys":       {"{}", jose.ErrMalformed},
		"keys an oject": {`{"keys":{}}`, jose.ErrMalformed},
		"truncated":     {`{"keys":[`, jose.ErrMalformed},
		"too many":      {`{"keys":[` + strings.Repeat("{},", 100) + `{}]}`, jose.ErrTooLarge},
		"too large":     {`{"keys":[]}` + strings.Repeat(" ", jose.MaxSetBytes), jose.ErrTooLarge},
	} {
		if _, _, err := jose.ParseSet([]byte(test.document)); !errors.Is(err, test.want) || !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if keys, skipped, err := jose.ParseSet([]byte(`{"keys":[]}`)); err != nil || len(keys)+len(skipped) != 0 {
		t.Error("an empty set is a set")
	}
}

func FuzzParseSet(f *testing.F) {
	f.Add([]byte(`{"keys":[]}`))
	for _, alg := range []string{jose.RS256, jose.ES256, jose.EdDSA} {
		f.Add(must(json.Marshal(jose.Set{Keys: []jose.Key{makePairs()[alg].public}})))
	}
	f.Add([]byte(`{"keys":[{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"},{"kty":"oct","k":"AAAA"},null,7]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, _, err := jose.ParseSet(data)
		if err != nil {
			return
		}
		for _, key := range keys {
			if key.Algorithm != "" && !key.Fits(key.Algorithm) {
				t.Fatalf("a key does not fit the algorithm that it declares: %+v", key)
			}
			if _, err := json.Marshal(key); err != nil {
				t.Fatal(err)
			}
		}
	})
}
