package keys

import (
	"context"
	"fmt"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

var _ clientauth.KeySet = (*Ring)(nil)

// Key implements [clientauth.KeySet] with the published keys, for validators in the same process. While the store cannot be read,
// it uses the last known keys for as long as a client with a cache would, and then returns clientauth.ErrKeysUnavailable.
func (r *Ring) Key(_ context.Context, kid, alg string) (*jose.Key, error) {
	v, _, err := r.recent(maxLag + r.cfg.CacheTime)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", clientauth.ErrKeysUnavailable, err)
	}
	if kid == "" {
		return v.onlyKey(alg)
	}
	key, found := v.published[kid]
	if !found {
		return nil, fmt.Errorf("%w: no kid %.64q", clientauth.ErrUnknownKey, kid)
	}
	if !key.Fits(alg) {
		return nil, fmt.Errorf("%w: kid %q does not fit %.32q", clientauth.ErrUnknownKey, kid, alg)
	}
	return key, nil
}

// onlyKey returns the single published key that fits alg.
func (v *view) onlyKey(alg string) (*jose.Key, error) {
	var only *jose.Key
	for _, key := range v.ordered {
		if !key.Fits(alg) {
			continue
		}
		if only != nil {
			return nil, fmt.Errorf("%w: no kid, and several keys fit %.32q", clientauth.ErrUnknownKey, alg)
		}
		only = key
	}
	if only == nil {
		return nil, fmt.Errorf("%w: no kid, and no key fits %.32q", clientauth.ErrUnknownKey, alg)
	}
	return only, nil
}
