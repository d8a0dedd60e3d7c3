package verify

import (
	"context"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// RevocationIndex is a [Denylist] in memory, with 32 to 64 bytes for each item. Readers take no lock, and every call of
// Denied that begins after a change sees it. The denylist of an issuer in the same process and [RemoteDenylist] use it.
//
// It keeps seeded 128-bit hashes of the values, not the values: it can tell whether a token is denied, but cannot list the
// items.
type RevocationIndex struct {
	seeds [4][2]maphash.Seed
	mu    sync.Mutex // held by writers
	table atomic.Pointer[revocationTable]
}

// Kinds of identifiers. The number is in the low bits of the first word of a slot.
const (
	byTokenID = iota
	bySession
	bySubject
	byKey
)

const kindMask = 3

// revocationTable is an open-addressing hash table. A writer fills each slot once; readers take no lock.
type revocationTable struct {
	slots    []revocationSlot // their number is a power of two
	used     int
	earliest uint64          // Prune does nothing up to this Unix second
	kinds    [4]atomic.Int64 // number of items of each kind
}

// revocationSlot is empty while first is 0; first is written last.
type revocationSlot struct {
	first, second atomic.Uint64
	// reach has two times of 32 bits in Unix seconds: in the high bits the latest iat that is denied, in the low bits the
	// expiry of the item.
	reach atomic.Uint64
}

const (
	minRevocationSlots = 64
	pruneSeconds       = 60
)

// NewRevocationIndex returns an empty index.
func NewRevocationIndex() *RevocationIndex {
	x := &RevocationIndex{}
	for kind := range x.seeds {
		x.seeds[kind] = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	}
	x.table.Store(newRevocationTable(minRevocationSlots))
	return x
}

func newRevocationTable(slots int) *revocationTable {
	return &revocationTable{slots: make([]revocationSlot, slots), earliest: math.MaxUint32}
}

// Denied implements [Denylist]. It never blocks and never fails.
func (x *RevocationIndex) Denied(_ context.Context, token TokenRef) (bool, error) {
	t := x.table.Load()
	return x.hits(t, byTokenID, token.ID, token.IssuedAt) ||
		x.hits(t, bySession, token.SessionID, token.IssuedAt) ||
		x.hits(t, bySubject, token.Subject, token.IssuedAt) ||
		x.hits(t, bySubject, token.WalletID, token.IssuedAt) ||
		slices.ContainsFunc(token.Actors, func(actor string) bool {
			return x.hits(t, bySubject, actor, token.IssuedAt) || x.hits(t, bySession, actor, token.IssuedAt)
		}) ||
		x.hits(t, byKey, token.KeyID, token.IssuedAt), nil
}

func (x *RevocationIndex) hits(t *revocationTable, kind int, value string, issuedAt int64) bool {
	if value == "" || t.kinds[kind].Load() == 0 {
		return false
	}
	first, second := x.hash(kind, value)
	slot := t.find(first, second)
	return slot != nil && issuedAt <= int64(slot.reach.Load()>>32)
}

// hash returns the two words for a value. The first one is never 0.
func (x *RevocationIndex) hash(kind int, value string) (first, second uint64) {
	first = maphash.String(x.seeds[kind][0], value)&^kindMask | uint64(kind)
	if first == 0 {
		first = kindMask + 1
	}
	return first, maphash.String(x.seeds[kind][1], value)
}

// find returns the slot of an item, or nil.
func (t *revocationTable) find(first, second uint64) *revocationSlot {
	mask := uint64(len(t.slots) - 1)
	for i := first >> 2; ; i++ {
		slot := &t.slots[i&mask]
		switch found := slot.first.Load(); {
		case found == 0:
			return nil
		case found == first && slot.second.Load() == second:
			return slot
		}
	}
}

// Apply adds items, in any order. A repeated item keeps the later of both times. An item with several identifiers denies
// each of them.
func (x *RevocationIndex) Apply(items ...Revocation) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, item := range items {
		x.add(byTokenID, item.JTI, math.MaxUint32, item.Exp)
		x.add(bySession, item.SID, math.MaxUint32, item.Exp)
		x.add(bySubject, item.Sub, item.RevokedAt, item.Exp)
		x.add(byKey, item.KID, math.MaxUint32, item.Exp)
	}
}

func (x *RevocationIndex) add(kind int, value string, reach, until int64) {
	if value == "" {
		return
	}
	if until <= 0 {
		until = math.MaxUint32
	}
	t := x.table.Load()
	if (t.used+1)*4 > len(t.slots)*3 {
		t = t.copy(len(t.slots)*2, 0)
		x.table.Store(t)
	}
	first, second := x.hash(kind, value)
	t.put(first, second, clamp32(reach), clamp32(until))
}

func clamp32(seconds int64) uint64 { return uint64(min(max(seconds, 0), math.MaxUint32)) }

// put adds an item, or extends the existing one. There must be an empty slot.
func (t *revocationTable) put(first, second, reach, until uint64) {
	t.earliest = min(t.earliest, until)
	mask := uint64(len(t.slots) - 1)
	for i := first >> 2; ; i++ {
		slot := &t.slots[i&mask]
		switch found := slot.first.Load(); {
		case found == 0:
			slot.second.Store(second)
			slot.reach.Store(reach<<32 | until)
			slot.first.Store(first)
			t.used++
			t.kinds[first&kindMask].Add(1)
			return
		case found == first && slot.second.Load() == second:
			old := slot.reach.Load()
			slot.reach.Store(max(old>>32, reach)<<32 | max(old&math.MaxUint32, until))
			return
		}
	}
}

// copy returns a table with that number of slots and the items that do not expire before now.
func (t *revocationTable) copy(slots int, now uint64) *revocationTable {
	next := newRevocationTable(slots)
	for i := range t.slots {
		slot := &t.slots[i]
		first, reach := slot.first.Load(), slot.reach.Load()
		if first != 0 && reach&math.MaxUint32 >= now {
			next.put(first, slot.second.Load(), reach>>32, reach&math.MaxUint32)
		}
	}
	return next
}

// sibling returns an empty index with the same seeds, for adopt.
func (x *RevocationIndex) sibling() *RevocationIndex {
	next := &RevocationIndex{seeds: x.seeds}
	next.table.Store(newRevocationTable(minRevocationSlots))
	return next
}

// adopt replaces the content by that of a sibling.
func (x *RevocationIndex) adopt(next *RevocationIndex) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.table.Store(next.table.Load())
}

// Prune removes the items whose Exp is before now and returns their number. It reads the whole index, so it does nothing
// for a minute after that, unless an item that expires sooner was added.
func (x *RevocationIndex) Prune(now time.Time) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	t, second := x.table.Load(), clamp32(now.Unix())
	if second <= t.earliest {
		return 0
	}
	kept := 0
	for i := range t.slots {
		if t.slots[i].first.Load() != 0 && t.slots[i].reach.Load()&math.MaxUint32 >= second {
			kept++
		}
	}
	next := t.copy(slotsFor(kept), second)
	next.earliest = max(next.earliest, second+pruneSeconds)
	x.table.Store(next)
	return t.used - kept
}

// slotsFor returns the size of a table that holds n items and can grow a little.
func slotsFor(n int) int {
	slots := minRevocationSlots
	for slots*3 < (n+1)*4 {
		slots *= 2
	}
	return slots
}

// Len returns the number of different items.
func (x *RevocationIndex) Len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.table.Load().used
}
