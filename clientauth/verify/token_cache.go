package verify

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync/atomic"
)

// tokenWays is the number of slots that a token can be in.
const tokenWays = 8

// tokenCache has tokens whose signature was verified. It is a fixed table of slots in groups. A seeded hash of the whole
// token selects its group, where it replaces an expired token or the least recently used one. Readers and writers take no
// lock, and the number of slots bounds the memory.
type tokenCache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[verifiedToken]
}

// newTokenCache returns a cache with at least size slots, or nil if size is 0 or less. A nil cache stores nothing.
func newTokenCache(size int) *tokenCache {
	if size <= 0 {
		return nil
	}
	groups := (size + tokenWays - 1) / tokenWays
	return &tokenCache{maphash.MakeSeed(), make([]atomic.Pointer[verifiedToken], groups*tokenWays)}
}

// group returns the slots of a token and its hash.
func (c *tokenCache) group(token string) ([]atomic.Pointer[verifiedToken], uint64) {
	hash := maphash.String(c.seed, token)
	index, _ := bits.Mul64(hash, uint64(len(c.slots)/tokenWays))
	return c.slots[index*tokenWays : (index+1)*tokenWays], hash
}

// get returns the verified token, or nil; now is in Unix seconds.
func (c *tokenCache) get(token string, now int64) *verifiedToken {
	if c == nil {
		return nil
	}
	group, hash := c.group(token)
	for i := range group {
		if found := group[i].Load(); found != nil && found.hash == hash && found.text == token {
			if found.used.Load() != now {
				found.used.Store(now)
			}
			return found
		}
	}
	return nil
}

// put stores a token. If two are put into one slot at the same time, one is lost and will be verified again.
func (c *tokenCache) put(token string, t *verifiedToken, now int64) {
	if c == nil {
		return
	}
	group, hash := c.group(token)
	t.text, t.hash = strings.Clone(token), hash
	t.used.Store(now)
	victim, oldest := 0, int64(0)
	for i := range group {
		found := group[i].Load()
		if found == nil || found.hash == hash && found.text == token {
			victim = i
			break
		}
		used := found.used.Load()
		if found.times.expires < now {
			used = 0
		}
		if i == 0 || used < oldest {
			victim, oldest = i, used
		}
	}
	group[victim].Store(t)
}

// drop removes a token that is no longer valid.
func (c *tokenCache) drop(t *verifiedToken) {
	group, _ := c.group(t.text)
	for i := range group {
		group[i].CompareAndSwap(t, nil)
	}
}
