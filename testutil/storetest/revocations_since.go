package storetest

import (
	"slices"
	"sync"
	"sync/atomic"

	authstore "github.com/picoauth/picoauth/serverauth/store"
)

func revocationsSince(e revocationEnv) {
	s := revocations(e)
	other := e.open()
	a, b, c, d := s.token(1), s.token(2), s.token(3), s.token(4)
	s.addNew(a)
	one := s.since(other, 0, true, a)
	s.since(other, one, false)
	s.addNew(b, c)
	two := s.since(other, one, false, b, c)
	s.since(s.store, two, false)
	s.add(other, []authstore.Revocation{d}, d)
	three := s.since(s.store, two, false, d)
	s.since(s.store, one, false, b, c, d)
	s.since(s.store, 0, true, a, b, c, d)
	for _, above := range []int64{three + 1, three + 1000, 1<<63 - 1} {
		if seq := s.since(other, above, true, a, b, c, d); seq != three {
			e.Errorf("since %d it is at %d, not %d", above, seq, three)
		}
	}
	if one >= two || two >= three {
		e.Errorf("the sequence is %d, %d, %d", one, two, three)
	}
}

// revocationsFollowed: whoever asks for what came after the last answer sees everything, in one order, whatever the
// number of those who add.
func revocationsFollowed(e revocationEnv) {
	s := revocations(e)
	handles := [2]authstore.RevocationStore{s.store, e.open()}
	const adders, each = 16, 25
	var adding atomic.Int64
	adding.Store(adders)
	var mu sync.Mutex
	var followed [3][]authstore.Revocation
	race(adders+len(followed), func(i int) {
		if i < adders {
			defer adding.Add(-1)
			s.addSome(handles[i%2], i, each)
			return
		}
		items := s.follow(handles[i%2], func() bool { return adding.Load() > 0 })
		mu.Lock()
		defer mu.Unlock()
		followed[i-adders] = items
	})
	page, err := readRevocations(background, s.store, 0)
	e.ok(err)
	if len(page.Items) != adders*each {
		e.Errorf("%d items, not %d", len(page.Items), adders*each)
	}
	for _, items := range followed {
		if !slices.Equal(items, page.Items) {
			e.Errorf("a follower saw %d items, or another order, of %d", len(items), len(page.Items))
		}
	}
}

// addSome adds n items in calls of different sizes.
func (s revocationSuite) addSome(store authstore.RevocationStore, adder, n int) {
	for done := 0; done < n; {
		var items []authstore.Revocation
		for range min(1+(adder+done)%3, n-done) {
			item := s.token(adder*1000 + done)
			if done++; done%5 == 0 {
				item.JTI, item.Sub = "", item.JTI
			}
			items = append(items, item)
		}
		if stored, err := store.Add(background, items); err != nil || !slices.Equal(stored, items) {
			s.Errorf("got %+v, %v", stored, err)
		}
	}
}

// follow asks for what is new, and once more after the last was added.
func (s revocationSuite) follow(store authstore.RevocationStore, more func() bool) (items []authstore.Revocation) {
	seq := int64(0)
	for goOn := true; goOn; {
		goOn = more()
		page, err := readRevocations(background, store, seq)
		if err != nil {
			s.Error(err)
			return items
		}
		if page.Seq < seq {
			s.Errorf("the sequence falls from %d to %d", seq, page.Seq)
		}
		if seq = page.Seq; page.Full {
			items = nil
		}
		items = append(items, page.Items...)
	}
	return items
}

// pruneRevocations prunes until a batch is not full.
func (s revocationSuite) prune(before int64, limit int) (removed int) {
	s.Helper()
	for {
		n, err := s.store.Prune(background, before, limit)
		s.ok(err)
		if n > limit {
			s.Fatalf("a batch of %d has %d", limit, n)
		}
		if removed += n; n < limit {
			return removed
		}
	}
}

func revocationSequence(e revocationEnv) {
	s := revocations(e)
	last := int64(0)
	rises := func(name string) {
		e.Helper()
		page, err := readRevocations(background, s.store, 0)
		e.ok(err)
		if page.Seq < last {
			e.Errorf("%s the sequence falls from %d to %d", name, last, page.Seq)
		}
		last = page.Seq
	}
	for n := range 3 {
		s.addNew(s.token(3*n), s.token(3*n+1))
		rises("after an addition")
		s.prune(s.seconds()+7200, 10)
		rises("after pruning everything")
		s.since(s.store, last, false)
		s.store = e.crash()
		rises("after a restart")
		item := s.token(3*n + 2)
		s.addNew(item)
		s.since(s.store, last, false, item) // who waits for it gets it
	}
}

func revocationsSincePruned(e revocationEnv) {
	s := revocations(e)
	long, short, last := s.token(1), s.token(2), s.token(3)
	short.Exp = s.seconds() + 10
	s.addNew(long)
	before := s.since(s.store, 0, true, long)
	s.addNew(short)
	at := s.since(s.store, before, false, short)
	s.addNew(last)
	if n := s.prune(s.seconds()+60, 10); n != 1 && !e.Expires {
		e.Errorf("removed %d", n)
	}
	other := e.open()
	s.since(other, before, true, long, last) // older than what was pruned
	s.since(other, at, false, last)
	s.since(other, 0, true, long, last)
}

func revocationsPruned(e revocationEnv) {
	s := revocations(e)
	const gone = 25
	var kept []authstore.Revocation
	for n := range gone {
		item := s.token(n)
		item.Exp = s.seconds() + 60
		if n%3 == 0 {
			item.JTI, item.Sub = "", item.JTI
		}
		s.addNew(item)
		if n%5 == 0 {
			edge, never := s.token(1000+n), s.token(2000+n)
			edge.Exp, never.Exp = s.seconds()+61, 0 // 0 is never
			s.addNew(edge, never)
			kept = append(kept, edge, never)
		}
	}
	if n := s.prune(s.seconds()+60, 10); n != 0 {
		e.Errorf("removed %d that were not over", n)
	}
	if n := s.prune(s.seconds()+61, 10); n != gone && !e.Expires {
		e.Errorf("removed %d, not %d", n, gone)
	}
	s.since(e.open(), 0, true, kept...)
	again := s.token(1) // which was forgotten
	s.addNew(again)
	s.since(e.open(), 0, true, append(kept, again)...)
}

func revocationsMany(e revocationEnv) {
	s := revocations(e)
	handles := [2]authstore.RevocationStore{s.store, e.open()}
	const batch = 500
	n := many(2500) / batch
	forEach(n, func(i int) {
		items := make([]authstore.Revocation, batch)
		for k := range items {
			items[k] = s.token(i*batch + k)
		}
		if _, err := handles[i%2].Add(background, items); err != nil {
			e.Error(err)
		}
	})
	page, err := readRevocations(background, s.store, 0)
	e.ok(err)
	if len(page.Items) != n*batch {
		e.Errorf("%d items, not %d", len(page.Items), n*batch)
	}
	last := s.token(n * batch)
	last.Exp += 7200
	s.addNew(last)
	s.since(handles[1], page.Seq, false, last)
	if removed := s.prune(s.seconds()+7200, 1000); removed != n*batch && !e.Expires {
		e.Errorf("removed %d of %d", removed, n*batch)
	}
	s.since(handles[1], 0, true, last)
}
