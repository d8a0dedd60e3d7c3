package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// Document is an encoded JWK Set (RFC 7517, section 5).
type Document struct {
	// Body is the JSON. It must not be changed.
	Body []byte
	// ETag is a strong entity tag, with its quotes (RFC 9110 section 8.8.3).
	ETag string
	// MaxAge is how long the document may be cached: until the next change of the keys, at most [Config].MaxAge, at least a second.
	MaxAge time.Duration
}

// CacheControl returns the value of the header Cache-Control.
func (d Document) CacheControl() string {
	return "public, max-age=" + strconv.FormatInt(int64(d.MaxAge/time.Second), 10)
}

// keyTypes are the key types of a filter; a filter is a bit set of them.
var keyTypes = [...]string{jose.KeyTypeRSA, jose.KeyTypeEC, jose.KeyTypeOKP, jose.KeyTypeAKP}

const allTypes = 1<<len(keyTypes) - 1

// documents are the key sets for all filters.
type documents [allTypes + 1]Document

// newDocuments encodes the keys in their order for each filter. Filters that differ only in types without a key share a document.
func newDocuments(keys []*jose.Key, materials map[string]*material) (all documents) {
	present := 0
	for _, key := range keys {
		present |= typeBit(jose.KeyType(key.Algorithm))
	}
	for filter := range all {
		if smaller := filter & present; smaller != filter {
			all[filter] = all[smaller]
			continue
		}
		var body bytes.Buffer
		body.WriteString(`{"keys":[`)
		empty := body.Len()
		for _, key := range keys {
			if filter&typeBit(jose.KeyType(key.Algorithm)) == 0 {
				continue
			}
			if body.Len() > empty {
				body.WriteByte(',')
			}
			body.Write(materials[key.ID].jwk)
		}
		body.WriteString("]}")
		sum := sha256.Sum256(body.Bytes())
		all[filter] = Document{Body: body.Bytes(), ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
	}
	return all
}

func typeBit(keyType string) int {
	if i := slices.Index(keyTypes[:], keyType); i >= 0 {
		return 1 << i
	}
	return 0
}

// JWKS returns the published keys of the given types (RSA, EC, OKP, AKP; an unknown type matches nothing), or all keys without
// types. It returns [ErrUnavailable] if the store could not be read for so long that a key might be missing.
func (r *Ring) JWKS(types ...string) (Document, error) {
	v, now, err := r.current()
	if err != nil {
		return Document{}, err
	}
	filter := allTypes
	if len(types) > 0 {
		filter = 0
		for _, name := range types {
			filter |= typeBit(name)
		}
	}
	d := v.documents[filter]
	d.MaxAge = r.cfg.maxAge(v, now)
	return d, nil
}

// maxAge returns the time until the next scheduled change: a key begins to sign or is removed, or a new spare has to be published
// for the next rotation.
func (c *Config) maxAge(v *view, now time.Time) time.Duration {
	age := c.MaxAge
	narrow := func(change time.Time) {
		if change.After(now) {
			age = min(age, change.Sub(now))
		}
	}
	narrow(v.until)
	if c.RotateEvery > 0 && v.signer != nil {
		narrow(v.signer.record.ActivatesAt.Add(c.RotateEvery - c.PendingTime()))
	}
	return max(age, time.Second)
}

// PublishedKeys returns the published keys, the active one first, as of the last reading of the store.
func (r *Ring) PublishedKeys() []jose.Key {
	v := r.viewAt(r.cfg.Clock.Now())
	keys := make([]jose.Key, len(v.ordered))
	for i, key := range v.ordered {
		keys[i] = *key
	}
	return keys
}
