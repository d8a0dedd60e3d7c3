package wallet

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"
)

const (
	keyGroups = 16
	keyWays   = 4 // places that a key can have
)

// unpackedKeys remembers the unpacked keys of up to 64 wallets (K, 22 to 67 KB each) that have lately shown a valid
// signature: services and agents come again, and to unpack a key of ML-DSA takes longer than to verify with it. What
// no signature was verified with is never kept, so a stranger's requests displace nothing. Whoever has a whole key may
// tell from the time of a refusal that its wallet has been here.
type unpackedKeys[K any] struct {
	seed  maphash.Seed
	kept  atomic.Uint64 // how many there were
	slots [keyGroups][keyWays]atomic.Pointer[unpackedKey[K]]
}

type unpackedKey[K any] struct {
	packed []byte
	key    K
}

// verifyUnpacked returns a verifier of signatures, with an empty context, that remembers keys.
func verifyUnpacked[K any](
	unpack func(key *K, packed []byte), verify func(key *K, message, context, signature []byte) bool,
) func(publicKey, message, signature []byte) bool {
	known := unpackedKeys[K]{seed: maphash.MakeSeed()}
	return func(publicKey, message, signature []byte) bool {
		group := &known.slots[maphash.Bytes(known.seed, publicKey)%keyGroups]
		if key := find(group, publicKey); key != nil {
			return verify(key, message, nil, signature)
		}
		fresh := &unpackedKey[K]{packed: publicKey}
		unpack(&fresh.key, publicKey)
		if !verify(&fresh.key, message, nil, signature) {
			return false
		}
		fresh.packed = bytes.Clone(publicKey)
		keep(group, fresh, known.kept.Add(1)%keyWays)
		return true
	}
}

func find[K any](group *[keyWays]atomic.Pointer[unpackedKey[K]], packed []byte) *K {
	for i := range group {
		if known := group[i].Load(); known != nil && bytes.Equal(known.packed, packed) {
			return &known.key
		}
	}
	return nil
}

// keep takes an empty slot, or the given one.
func keep[K any](group *[keyWays]atomic.Pointer[unpackedKey[K]], fresh *unpackedKey[K], slot uint64) {
	for i := range group {
		if group[i].CompareAndSwap(nil, fresh) {
			return
		}
	}
	group[slot].Store(fresh)
}
