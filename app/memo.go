package app

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Memo stores a value for each key. It is for few keys that are read often, such as the series of a metric: reading an existing
// key needs no lock, and adding one copies the whole map. The zero value is empty. A Memo is safe for concurrent use, and must
// not be copied.
type Memo[K comparable, V any] struct {
	known atomic.Pointer[map[K]V]
	mutex sync.Mutex // held while make runs
}

// Get returns the value for a key. For a new key it calls make once and stores the result.
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
