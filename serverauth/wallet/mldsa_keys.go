package wallet

import "sync"

// maxUnpackedKeys is the maximum number of keys that one scheme caches.
const maxUnpackedKeys = 64

// unpackedKeys caches the unpacked keys (K, 22 to 67 KB each) of wallets, by their packed form. Services and agents sign in
// often, and unpacking an ML-DSA key takes longer than verifying with it. A key is cached only after a valid signature, so
// that requests without one displace nothing. Whoever has a whole key can tell from the time of a refusal whether it is
// cached.
type unpackedKeys[K any] struct {
	mu    sync.Mutex
	known map[string]*K
}

// verifyUnpacked returns a function that verifies signatures with an empty context and caches keys.
func verifyUnpacked[K any](
	unpack func(key *K, packed []byte) error, verify func(key *K, message, context, signature []byte) bool,
) func(publicKey, message, signature []byte) bool {
	keys := unpackedKeys[K]{known: make(map[string]*K)}
	return func(publicKey, message, signature []byte) bool {
		if key := keys.find(publicKey); key != nil {
			return verify(key, message, nil, signature)
		}
		fresh := new(K)
		if unpack(fresh, publicKey) != nil || !verify(fresh, message, nil, signature) {
			return false
		}
		keys.keep(publicKey, fresh)
		return true
	}
}

func (u *unpackedKeys[K]) find(packed []byte) *K {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.known[string(packed)]
}

// keep adds a key. If the cache is full, it removes an arbitrary other one.
func (u *unpackedKeys[K]) keep(packed []byte, key *K) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.known) >= maxUnpackedKeys {
		for other := range u.known {
			delete(u.known, other)
			break
		}
	}
	u.known[string(packed)] = key
}
