package clientauth

import (
	"context"
	"slices"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// KeySet finds the public key that verifies a token. It is safe for concurrent use.
//
// Key returns the key with the id kid that fits alg ([jose.Key.Fits]). An empty kid means the only key of the set that
// fits alg; none or several are an [ErrUnknownKey]. The error is [ErrUnknownKey] when the issuer has no such key and
// [ErrKeysUnavailable] when the set cannot be had. A removed key is no longer found: the token cache asks again on every
// hit, so Key must be quick for a known kid and should return the same pointer as long as the key is the same.
type KeySet interface {
	Key(ctx context.Context, kid, alg string) (*jose.Key, error)
}

// KeyMap is an immutable set of keys, found by id. [RemoteKeySet] is made of it, and so can be any other KeySet.
type KeyMap struct {
	byID map[string][]*jose.Key
	all  []*jose.Key
}

// NewKeyMap holds copies of keys. A repeated id is allowed; the first key that fits is found.
func NewKeyMap(keys ...jose.Key) *KeyMap {
	m := &KeyMap{byID: make(map[string][]*jose.Key, len(keys))}
	for _, key := range keys {
		m.all = append(m.all, &key)
		m.byID[key.ID] = append(m.byID[key.ID], &key)
	}
	return m
}

// Key implements [KeySet]. It never blocks and its error is always [ErrUnknownKey].
func (m *KeyMap) Key(_ context.Context, kid, alg string) (*jose.Key, error) {
	if kid == "" {
		return m.only(alg)
	}
	same := m.byID[kid]
	for _, key := range same {
		if key.Fits(alg) {
			return key, nil
		}
	}
	if len(same) > 0 {
		return nil, because(ErrUnknownKey, "kid %q does not fit %s", kid, alg)
	}
	return nil, because(ErrUnknownKey, "no kid %.64q", kid)
}

// Has reports whether a key with this id is in the set, whatever it fits.
func (m *KeyMap) Has(kid string) bool { return len(m.byID[kid]) > 0 }

// only returns the single key that fits alg.
func (m *KeyMap) only(alg string) (*jose.Key, error) {
	var found *jose.Key
	for _, key := range m.all {
		if !key.Fits(alg) {
			continue
		}
		if found != nil {
			return nil, because(ErrUnknownKey, "no kid, and several keys fit %s", alg)
		}
		found = key
	}
	if found == nil {
		return nil, because(ErrUnknownKey, "no kid, and no key fits %s", alg)
	}
	return found, nil
}

// keepPointers takes the pointers of previous for the keys that are the same.
func (m *KeyMap) keepPointers(previous *KeyMap) {
	for i, key := range m.all {
		for _, old := range previous.byID[key.ID] {
			if !old.Equal(*key) {
				continue
			}
			same := m.byID[key.ID]
			same[slices.Index(same, key)] = old
			m.all[i] = old
			break
		}
	}
}
