package app

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Memo remembers what was made for a key. It is for few keys that are asked for often, such as the series of a metric:
// a key that is there is found without a lock, and one that is not makes a copy of the whole. The zero value is empty.
// It is safe for concurrent use, and must not be copied.
type Memo[K comparable, V any] struct {
	known atomic.Pointer[map[K]V]
	mutex sync.Mutex // held while something is made
}

// Get returns what is remembered for a key, or what make returns for it, once.
func (m *Memo[K, V]) Get(key K, make func(K) V) V {
	if known := m.known.Load(); known != nil {
		if value, found := (*known)[key]; found {
			return value
		}
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	next := map[K]V{}
	if known := m.known.Load(); known != nil {
		if value, found := (*known)[key]; found {
			return value
		}
		next = maps.Clone(*known)
	}
	value := make(key)
	next[key] = value
	m.known.Store(&next)
	return value
}
