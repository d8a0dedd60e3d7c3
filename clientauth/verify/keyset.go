package verify

import (
	"context"
	"slices"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// KeySet finds the public key that verifies a token. It must be safe for concurrent use.
//
// Key returns the key with the id kid that fits alg ([jose.Key.Fits]). An empty kid means the only key of the set that fits
// alg. The error is [ErrUnknownKey] if the issuer has no such key, or several without a kid, and [ErrKeysUnavailable] if the
// set is unavailable. A removed key must no longer be found: the token cache calls Key at every hit. So Key must be fast for a
// known kid, and should return the same pointer as long as the key is the same.
type KeySet interface {
	Key(ctx context.Context, kid, alg string) (*jose.Key, error)
}

// replacingKeys is a KeySet whose issuer may replace a key by another one under the same kid.
type replacingKeys interface {
	// replacement is called after a wrong signature. It returns the current key.
	replacement(ctx context.Context, kid, alg string) (*jose.Key, error)
}

// KeyMap is an immutable set of keys with lookup by id. Use it to implement other KeySets, as [RemoteKeySet] does.
type KeyMap struct {
	byID map[string][]*jose.Key
	all  []*jose.Key
}

// NewKeyMap returns a KeyMap with copies of the keys. Several keys may have the same id; Key returns the first one that fits.
func NewKeyMap(keys ...jose.Key) *KeyMap { return new(KeyMap).with(keys) }

// with returns a KeyMap of other keys. Keys that are the same keep their pointers, so that callers can compare pointers.
func (m *KeyMap) with(keys []jose.Key) *KeyMap {
	next := &KeyMap{byID: make(map[string][]*jose.Key, len(keys))}
	for _, key := range keys {
		one, known := &key, m.byID[key.ID]
		if at := slices.IndexFunc(known, func(old *jose.Key) bool { return old.Equal(key) }); at >= 0 {
			one = known[at]
		}
		next.all = append(next.all, one)
		next.byID[key.ID] = append(next.byID[key.ID], one)
	}
	return next
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
		return nil, explain(ErrUnknownKey, "the key with the kid %.64q is not for %.32q", kid, alg)
	}
	return nil, explain(ErrUnknownKey, "the issuer has no key with the kid %.64q", kid)
}

// Has reports whether the set has a key with this id, whatever algorithm it fits.
func (m *KeyMap) Has(kid string) bool { return len(m.byID[kid]) > 0 }

// only returns the single key that fits alg.
func (m *KeyMap) only(alg string) (*jose.Key, error) {
	var found *jose.Key
	for _, key := range m.all {
		if !key.Fits(alg) {
			continue
		}
		if found != nil {
			return nil, explain(ErrUnknownKey, "the token has no kid, and the issuer has several keys for %.32q", alg)
		}
		found = key
	}
	if found == nil {
		return nil, explain(ErrUnknownKey, "the token has no kid, and the issuer has no key for %.32q", alg)
	}
	return found, nil
}
