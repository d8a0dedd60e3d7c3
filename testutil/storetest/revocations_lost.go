package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/picoauth/picoauth/serverauth/store"
)

// revocationsLost: a storage loses commits, and others come in their place. Whoever has seen the lost ones gets the whole
// list, and so misses nothing, however many there are of either.
func revocationsLost(e revocationEnv) {
	if e.Copy == nil {
		return
	}
	for _, test := range []struct {
		name                string
		lost, come, commits int
	}{
		{"one, and one comes", 1, 1, 1},
		{"one, and nothing comes", 1, 0, 0},
		{"three, and one comes", 3, 1, 1},
		{"one, and three come", 1, 3, 1},
		{"one, and a hundred come one by one", 1, 1, 100},
	} {
		e.Run(test.name, func(t *testing.T) {
			sub := e
			sub.T = t
			s := revocations(sub)
			kept := s.token(1)
			kept.JTI = test.name
			s.addNew(kept)
			putBack := e.Copy(t)
			before, err := readRevocations(background, s.store, 0)
			s.ok(err)
			var lost []store.Revocation
			for i := range test.lost {
				lost = append(lost, s.token(1000+i))
			}
			s.addNew(lost...)
			seen := s.since(e.open(), before.Seq, false, lost...)

			putBack()
			handles := e.two()
			all := before.Items
			for n := range test.commits {
				items := make([]store.Revocation, test.come)
				for i := range items {
					items[i] = s.token(2000 + n*10 + i)
				}
				s.add(handles[n%2], items, items...)
				all = append(all, items...)
			}
			for _, handle := range handles {
				if now := s.since(handle, seen, true, all...); now == seen {
					s.Errorf("the number %d was given again", seen)
				}
				s.since(handle, before.Seq, false, all[len(before.Items):]...)
			}
			s.store = handles[0]
			s.prune(s.seconds()+7200, 1000)
		})
	}
}

// revocationsLostBetweenPages: who is reading the list begins anew.
func revocationsLostBetweenPages(e revocationEnv) {
	if e.Copy == nil {
		return
	}
	s := revocations(e)
	a, b, lost, after := s.token(1), s.token(2), s.token(3), s.token(4)
	s.addNew(a, b)
	putBack := e.Copy(e.T)
	s.addNew(lost, after)
	first, err := s.store.Since(background, 0, 0, 3)
	e.ok(err)
	if !first.Full || !slices.Equal(first.Items, []store.Revocation{a, b, lost}) || first.Next == 0 {
		e.Fatalf("got %+v", first)
	}
	putBack()
	other := e.open()
	come := s.token(5)
	s.add(other, []store.Revocation{come}, come)
	second, err := other.Since(background, 0, first.Next, 3)
	e.ok(err)
	if !second.Full || !slices.Equal(second.Items, []store.Revocation{a, b, come}) || second.Next != 0 || second.Seq == first.Seq {
		e.Errorf("got %+v", second)
	}
}

// revocationPages: pages hold every item once, in order; what is committed while they are read follows; and what was
// pruned meanwhile does not stop the reader.
func revocationPages(e revocationEnv) {
	s := revocations(e)
	var items []store.Revocation
	for n := range 10 {
		items = append(items, s.token(n))
	}
	items[4].Exp = s.seconds() + 10
	s.addNew(items[:6]...)
	s.addNew(items[6:9]...)
	for limit := 1; limit <= 10; limit++ {
		e.ok(s.pages(0, limit, items[:9], nil))
	}
	seq := s.since(s.store, 0, true, items[:9]...)
	e.ok(s.pages(seq, 3, nil, nil))
	e.ok(s.pages(0, 5, items, func(page int) {
		if page == 1 { // its last item is pruned
			s.addNew(items[9])
			s.prune(s.seconds()+60, 10)
		}
	}))
	s.addNew(s.token(10)) // the sequence stays where it is if nothing is added
	seq = s.since(s.store, 0, true, append(slices.Delete(slices.Clone(items), 4, 5), s.token(10))...)
	s.add(s.store, []store.Revocation{items[0], items[1]}, items[0], items[1])
	if again := s.since(s.store, seq, false); again != seq {
		e.Errorf("the sequence goes from %d to %d", seq, again)
	}
}

// pages reads the list after seq in pages, with something that happens between them, and tells whether it is want.
func (s revocationSuite) pages(seq int64, limit int, want []store.Revocation, between func(page int)) error {
	var items []store.Revocation
	for n, after := 0, int64(0); n == 0 || after != 0; n++ {
		if between != nil {
			between(n)
		}
		page, err := s.store.Since(background, seq, after, limit)
		if err != nil {
			return err
		}
		if page.Full != (seq == 0 && n == 0) || len(page.Items) > limit || page.Next != 0 && len(page.Items) < limit {
			return fmt.Errorf("page %d of %d is %+v", n, limit, page)
		}
		items, after = append(items, page.Items...), page.Next
	}
	if !slices.Equal(items, want) {
		return fmt.Errorf("by %d there are %+v, not %+v", limit, items, want)
	}
	return nil
}
