package keys

import (
	"fmt"
	"slices"
	"time"
)

// KeyInfo describes a key without secret parts. Its JSON is that of GET /keys.
type KeyInfo struct {
	ID        string    `json:"kid"`
	Algorithm string    `json:"alg"`
	State     State     `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	// ActivatesAt is the time from which the key signs or signed; zero for a spare.
	ActivatesAt time.Time `json:"activates_at,omitzero"`
	// RetiresAt is the time from which its successor signs, or at which it was reported as compromised; zero while neither is known.
	RetiresAt time.Time `json:"retires_at,omitzero"`
	// DenyUntil is, for a compromised key, the time until which a resource server may have it in its cache or a token of it may be
	// valid, whichever is later; zero for other keys.
	DenyUntil time.Time `json:"-"`
}

// List returns all keys in the store, the newest first. It includes removed keys for a day, and compromised ones for ever.
func (r *Ring) List() []KeyInfo {
	v := r.viewAt(r.cfg.Clock.Now())
	infos := make([]KeyInfo, len(v.statuses))
	for i, k := range v.statuses {
		infos[i] = r.cfg.describe(k)
	}
	slices.SortStableFunc(infos, func(a, b KeyInfo) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return infos
}

// info returns one key of the current view.
func (r *Ring) info(kid string) (KeyInfo, error) {
	if k := r.viewAt(r.cfg.Clock.Now()).find(kid); k != nil {
		return r.cfg.describe(k), nil
	}
	return KeyInfo{}, fmt.Errorf("%w: %.64q", ErrUnknownKey, kid)
}

func (c *Config) describe(k *keyStatus) KeyInfo {
	r := k.record
	info := KeyInfo{
		ID: r.ID, Algorithm: r.Algorithm, State: k.state,
		CreatedAt: r.CreatedAt, ActivatesAt: r.ActivatesAt, RetiresAt: k.retiresAt,
	}
	switch {
	case !r.CompromisedAt.IsZero():
		info.RetiresAt = r.CompromisedAt
		info.DenyUntil = r.CompromisedAt.Add(max(c.holdTime(r.TokenLifetime), c.PendingTime()))
	case k.state == StateActive && c.RotateEvery > 0 && info.RetiresAt.IsZero():
		info.RetiresAt = r.ActivatesAt.Add(c.RotateEvery)
	}
	return info
}
