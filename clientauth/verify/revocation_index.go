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

// RevocationIndex holds the items of a denylist in memory, 32 to 64 bytes each, and is the [Denylist] that reads them.
// Readers take no lock; a change is seen by every call of Denied that begins after it. Both the in-process denylist of
// an issuer and [RemoteDenylist] are made of it.
//
// It keeps seeded 128-bit hashes of the values, not the values: it can say whether a token is hit, not list the items.
type RevocationIndex struct {
	seeds [4][2]maphash.Seed
	mu    sync.Mutex // held by writers
	table atomic.Pointer[revocationTable]
}

// What an item can hit; the number is kept in the low bits of a slot's first word.
const (
	byTokenID = iota
	bySession
	bySubject
	byKey
)

const kindMask = 3

// revocationTable is an open-addressing hash table whose slots are written once by a writer and read without a lock.
type revocationTable struct {
	slots    []revocationSlot // a power of two of them
	used     int
	earliest uint64          // no item is forgotten before this Unix second
	kinds    [4]atomic.Int64 // how many items of each kind
}

// revocationSlot is empty while first is 0; first is written last.
type revocationSlot struct {
	first, second atomic.Uint64
	// reach is the latest iat that is hit, and until the Unix second at which the item is forgotten, 32 bits each.
	reach atomic.Uint64
}

const (
	minRevocationSlots = 64
	pruneSeconds       = 60
)

// NewRevocationIndex returns an index that hits nothing.
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

// hash never returns 0 as its first word.
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

// Apply adds items, all at once or in any order; an item that is there already reaches as far as the later one. Of an
// item that names several things, each is hit.
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

// put adds an item or extends the one that is there. There must be an empty slot.
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

// copy returns a table of that many slots with the items that are not forgotten before now.
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

// sibling returns an empty index whose table can be adopted.
func (x *RevocationIndex) sibling() *RevocationIndex {
	next := &RevocationIndex{seeds: x.seeds}
	next.table.Store(newRevocationTable(minRevocationSlots))
	return next
}

// adopt takes over the content of a sibling.
func (x *RevocationIndex) adopt(next *RevocationIndex) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.table.Store(next.table.Load())
}

// Prune forgets the items whose Exp is before now and returns how many. It reads the whole index, so it does that once a
// minute at most, however often it is called, and only when there is something to forget.
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

// Len returns the number of items, a repeated one counted once.
func (x *RevocationIndex) Len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.table.Load().used
}
