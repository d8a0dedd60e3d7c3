package verify

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/picoauth/picoauth/clientauth/jose"
)

const (
	headerDPoP = "Dpop" // as net/http writes it
	proofType  = "dpop+jwt"

	// Maximum sizes in bytes. A proof of an RSA key with 8192 bits has 3 KiB, one of ML-DSA-87 13 KiB.
	maxProofBytes   = 16 << 10
	maxProofIDBytes = 256
	// maxKeptHeader is the maximum size of a proof's header that is kept with its token.
	maxKeptHeader = 1 << 10
)

// parse splits a proof into its parts, and checks its size, typ and alg only. If the header is that of the last valid proof of
// the token, it is not parsed again, and the key of that proof is returned too.
func (p *proofReader) parse(text string, bound *binding) (*jose.Compact, *proofKey, error) {
	if len(text) > maxProofBytes {
		return nil, nil, explain(ErrInvalidProof, "it has more than %d bytes", maxProofBytes)
	}
	if parts, known := bound.parse(text); parts != nil && p.accepts(known.algorithm) {
		return parts, known, nil
	}
	parts, err := p.parseWhole(text)
	return parts, nil, err
}

// parse parses a proof that begins with the header of the last valid one; it returns nil for any other.
func (b *binding) parse(text string) (*jose.Compact, *proofKey) {
	if b == nil {
		return nil, nil
	}
	known := b.last.Load()
	if known == nil {
		return nil, nil
	}
	rest, same := strings.CutPrefix(text, known.header)
	rest, dotted := strings.CutPrefix(rest, ".")
	payload, signature, whole := strings.Cut(rest, ".")
	parts := &jose.Compact{Algorithm: known.algorithm, Type: proofType, SigningInput: text[:max(len(text)-len(signature)-1, 0)]}
	var err, err2 error
	parts.Payload, err = jose.DecodeBase64(payload)
	parts.Signature, err2 = jose.DecodeBase64(signature)
	if !same || !dotted || !whole || err != nil || err2 != nil || len(parts.Signature) == 0 {
		return nil, nil
	}
	return parts, known
}

func (p *proofReader) parseWhole(text string) (*jose.Compact, error) {
	parts, err := jose.ParseCompact(text)
	switch {
	case err != nil:
		return nil, explain(ErrInvalidProof, "%w", err)
	case parts.Type != proofType:
		return nil, explain(ErrInvalidProof, "typ %.32q came; %q is wanted", parts.Type, proofType)
	case !p.accepts(parts.Algorithm):
		return nil, explain(ErrInvalidProof, "alg %.32q came; accepted: %s", parts.Algorithm, listed(p.algorithms))
	}
	return parts, nil
}

// claimsOfProof are the claims of a proof (RFC 9449, section 4.2).
type claimsOfProof struct {
	id, method, url, tokenHash, nonce string
	issued                            int64
}

func proofClaims(parts *jose.Compact, ofToken bool) (c claimsOfProof, err error) {
	claims, err := jose.ParseObject(parts.Payload)
	if err != nil {
		return c, explain(ErrInvalidProof, "claims: %w", err)
	}
	for _, required := range [...]struct {
		name  string
		value *string
	}{{"jti", &c.id}, {"htm", &c.method}, {"htu", &c.url}, {"ath", &c.tokenHash}} {
		if required.name == "ath" && !ofToken {
			continue
		}
		if *required.value, err = claimSet(claims).required(required.name); err != nil {
			return c, explain(ErrInvalidProof, "claim %q is missing or not a text", required.name)
		}
	}
	if text, isText := claims["nonce"].(string); isText {
		c.nonce = text
	}
	if len(c.id) > maxProofIDBytes {
		return c, explain(ErrInvalidProof, "claim \"jti\" has more than %d bytes", maxProofIDBytes)
	}
	issued, present, err := claimSet(claims).seconds("iat")
	if err != nil || !present {
		return c, explain(ErrInvalidProof, "claim \"iat\" is missing or not a time")
	}
	c.issued = issued
	return c, nil
}

// matches returns an error unless the proof is for this request at one of the origins.
func (c claimsOfProof) matches(r *http.Request, origins []string) error {
	if c.method != r.Method {
		return explain(ErrInvalidProof, "it is for the method %.16q, but the request has %s", c.method, r.Method)
	}
	url, first := normalURL(c.url), ""
	for _, origin := range origins {
		wanted := requestURL(r, origin)
		if wanted != "" && wanted == url {
			return nil
		}
		first = cmp.Or(first, wanted)
	}
	return explain(ErrInvalidProof, "it is for another URL than %.200q", first)
}

// isOf returns an error unless the proof is for this token.
func (c claimsOfProof) isOf(token *string) error {
	if token == nil {
		return nil
	}
	if hash := sha256.Sum256([]byte(*token)); !sameText(c.tokenHash, jose.EncodeBase64(hash[:])) {
		return explain(ErrInvalidProof, "it is for another token (ath)")
	}
	return nil
}

// proofKey is the key in the header of a proof.
type proofKey struct {
	algorithm string
	header    string // encoded
	key       *jose.Key
}

// keyOf returns the key in a proof's header and its thumbprint, which must be that of the binding. Without a binding any key is
// accepted. known is the key if the header was not parsed.
func (b *binding) keyOf(parts *jose.Compact, known *proofKey) (key *jose.Key, thumbprint string, err error) {
	switch {
	case b == nil:
		return keyIn(parts)
	case known != nil:
		return known.key, b.thumbprint, nil
	}
	key, thumbprint, err = keyIn(parts)
	if err == nil && !sameText(thumbprint, b.thumbprint) {
		return nil, "", explain(ErrTokenBinding, "the key of the proof is not that of cnf.jkt")
	}
	return key, thumbprint, err
}

func keyIn(parts *jose.Compact) (*jose.Key, string, error) {
	member, isObject := parts.Header["jwk"].(map[string]any)
	if !isObject {
		return nil, "", explain(ErrInvalidProof, "its header has no jwk")
	}
	text, err := json.Marshal(member)
	if err != nil {
		return nil, "", because(ErrInvalidProof, "%w", err)
	}
	key := &jose.Key{}
	if err := key.UnmarshalJSON(text); err != nil {
		return nil, "", explain(ErrInvalidProof, "jwk: %w", err)
	}
	thumbprint, err := jose.Thumbprint(key.Public)
	if err != nil {
		return nil, "", because(ErrInvalidProof, "%w", err)
	}
	return key, thumbprint, nil
}

// remember stores the key of a valid proof.
func (b *binding) remember(parts *jose.Compact, key *jose.Key) {
	if b == nil {
		return
	}
	if header, _, _ := strings.Cut(parts.SigningInput, "."); len(header) <= maxKeptHeader {
		b.last.Store(&proofKey{parts.Algorithm, strings.Clone(header), key})
	}
}
