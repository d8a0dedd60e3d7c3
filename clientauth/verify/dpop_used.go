package verify

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// ProofStore remembers used proofs for several instances of a service. It must be safe for concurrent use.
type ProofStore interface {
	// Spend reports whether a proof is used for the first time, and remembers it until the time until, after which it is refused
	// anyway. Of several concurrent callers exactly one gets true. A proof is identified by the thumbprint of its key and by id, its
	// jti. now is the time by the caller's clock. An error means that the answer is unknown, or that there is no room for the proof: a
	// proof must not be forgotten before its time.
	Spend(ctx context.Context, thumbprint, id string, until, now time.Time) (fresh bool, err error)
}

// usedProofs is the [ProofStore] in memory. It remembers used proofs for as long as they would be accepted, and forgets none
// earlier: when it is full, no further proof is accepted.
type usedProofs struct {
	seeds [2]maphash.Seed
	limit int

	mu     sync.Mutex
	latest int64                  // the highest time seen, in Unix seconds: it never falls
	until  map[proofHash]struct{} // those that are remembered
	ending map[int64][]proofHash  // by the second after which they are refused anyway
	oldest int64                  // no second before it is in ending
}

// proofHash is a 128-bit hash of a proof with secret random seeds.
type proofHash [2]uint64

func newUsedProofs(limit int) *usedProofs {
	if limit <= 0 {
		limit = DefaultProofCacheSize
	}
	return &usedProofs{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, limit: limit,
		until: make(map[proofHash]struct{}), ending: make(map[int64][]proofHash)}
}

// Spend implements [ProofStore]. If the clock was set back, a proof that may have been forgotten counts as used.
func (u *usedProofs) Spend(_ context.Context, key, id string, end, at time.Time) (fresh bool, err error) {
	until, now := end.Unix(), at.Unix()
	hash := proofHash{u.hash(0, key, id), u.hash(1, key, id)}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forget(now)
	if _, used := u.until[hash]; used || until < u.latest {
		return false, nil
	}
	if len(u.until) >= u.limit {
		return false, because(ErrProofsUnavailable, "%d used proofs are stored, the maximum", len(u.until))
	}
	u.until[hash] = struct{}{}
	if len(u.ending) == 0 || until < u.oldest {
		u.oldest = until
	}
	u.ending[until] = append(u.ending[until], hash)
	return true, nil
}

func (u *usedProofs) hash(seed int, key, id string) uint64 {
	var h maphash.Hash
	h.SetSeed(u.seeds[seed])
	_, _ = h.WriteString(key) // of a fixed length
	_, _ = h.WriteString(id)
	return h.Sum64()
}

// forget removes the proofs whose time has passed.
func (u *usedProofs) forget(now int64) {
	u.latest = max(u.latest, now)
	for ; len(u.ending) > 0 && u.oldest < u.latest; u.oldest++ {
		for _, hash := range u.ending[u.oldest] {
			delete(u.until, hash)
		}
		delete(u.ending, u.oldest)
	}
}
