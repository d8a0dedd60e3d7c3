package keys

import (
	"fmt"
	"slices"
	"time"
)

// KeyInfo is what may be shown of a key. Its JSON is that of the keys endpoint.
type KeyInfo struct {
	ID        string    `json:"kid"`
	Algorithm string    `json:"alg"`
	State     State     `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	// ActivatesAt is from when the key signs or signed; zero for a spare.
	ActivatesAt time.Time `json:"activates_at,omitzero"`
	// RetiresAt is when its successor signs, or when it was reported stolen; zero while neither is known.
	RetiresAt time.Time `json:"retires_at,omitzero"`
	// DenyUntil is, for a key that was reported stolen, until when a resource server may still hold it in a cache or a
	// token of it be unexpired, whichever is later; zero for others.
	DenyUntil time.Time `json:"-"`
}

// List returns every key that the store holds, the newest first, removed ones included: those for a day, stolen
// ones for ever.
func (r *Ring) List() []KeyInfo {
	v := r.viewAt(r.cfg.Clock.Now())
	infos := make([]KeyInfo, len(v.standings))
	for i := range v.standings {
		infos[i] = r.cfg.describe(&v.standings[i])
	}
	slices.SortStableFunc(infos, func(a, b KeyInfo) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return infos
}

// info describes one key of the current view.
func (r *Ring) info(kid string) (KeyInfo, error) {
	if k := r.viewAt(r.cfg.Clock.Now()).find(kid); k != nil {
		return r.cfg.describe(k), nil
	}
	return KeyInfo{}, fmt.Errorf("%w: %.64q", ErrUnknownKey, kid)
}

func (c *Config) describe(k *standing) KeyInfo {
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
