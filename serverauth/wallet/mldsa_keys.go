package wallet

import "sync"

// maxUnpackedKeys is how many wallets' keys of one scheme are remembered.
const maxUnpackedKeys = 64

// unpackedKeys remembers the unpacked keys (K, 22 to 67 KB each) of wallets that have lately shown a valid signature, by
// their packed form: services and agents come again, and to unpack a key of ML-DSA takes longer than to verify with it. What
// no signature was verified with is never kept, so a stranger's requests displace nothing. Whoever has a whole key may
// tell from the time of a refusal that its wallet has been here.
type unpackedKeys[K any] struct {
	mu    sync.Mutex
	known map[string]*K
}

// verifyUnpacked returns a verifier of signatures, with an empty context, that remembers keys.
func verifyUnpacked[K any](
	unpack func(key *K, packed []byte), verify func(key *K, message, context, signature []byte) bool,
) func(publicKey, message, signature []byte) bool {
	keys := unpackedKeys[K]{known: make(map[string]*K)}
	return func(publicKey, message, signature []byte) bool {
		if key := keys.find(publicKey); key != nil {
			return verify(key, message, nil, signature)
		}
		fresh := new(K)
		unpack(fresh, publicKey)
		if !verify(fresh, message, nil, signature) {
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

// keep makes room by forgetting any one of the others.
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
