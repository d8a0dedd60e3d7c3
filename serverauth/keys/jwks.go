package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// Document is a JSON Web Key Set (RFC 7517 section 5) ready to be sent.
type Document struct {
	// Body is the JSON. It must not be changed.
	Body []byte
	// ETag is a strong entity tag, with its quotes (RFC 9110 section 8.8.3).
	ETag string
	// MaxAge is for how long the document may be cached: until the keys change next, at most [Config].MaxAge, at
	// least a second.
	MaxAge time.Duration
}

// CacheControl is the value of the header of that name.
func (d Document) CacheControl() string {
	return "public, max-age=" + strconv.FormatInt(int64(d.MaxAge/time.Second), 10)
}

// keyTypes are the types that a set can be filtered by; a filter is a set of their bits.
var keyTypes = [...]string{jose.KeyTypeRSA, jose.KeyTypeEC, jose.KeyTypeOKP, jose.KeyTypeAKP}

const allTypes = 1<<len(keyTypes) - 1

// documents holds the set under every filter.
type documents [allTypes + 1]Document

// newDocuments writes the keys in their order, under each of the filters. One that asks for types of which there is no
// key is the same as one that does not.
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
	for i, name := range keyTypes {
		if name == keyType {
			return 1 << i
		}
	}
	return 0
}

// JWKS returns the published keys, those of the given types (RSA, EC, OKP, AKP; an unknown one matches nothing), or
// all for none given. It returns [ErrUnavailable] when the store could not be read for so long that a key might be
// missing.
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

// maxAge ends with the next change that the schedule knows of: a key that signs or is removed at a known time, or the
// publication of the spare for the next rotation.
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

// PublishedKeys returns the keys of the set, the one that signs first, as the ring last knew them.
func (r *Ring) PublishedKeys() []jose.Key {
	v := r.viewAt(r.cfg.Clock.Now())
	keys := make([]jose.Key, len(v.ordered))
	for i, key := range v.ordered {
		keys[i] = *key
	}
	return keys
}
