package storetest

import (
	"slices"
	"strings"

	"github.com/picoauth/picoauth/serverauth/store"
)

// pages lists by pages of so many, to the end.
func (s sessionSuite) pages(q store.SessionQuery) (all []store.Session) {
	s.Helper()
	for {
		page, err := s.store.List(background, q)
		s.ok(err)
		if len(page) > q.Limit {
			s.Fatalf("a page of %d has %d", q.Limit, len(page))
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			return all
		}
		last := page[len(page)-1]
		q.BeforeStart, q.BeforeID = last.StartedAt, last.ID
	}
}

func sessionsListed(e sessionEnv) {
	s := sessions(e)
	var live []store.Session
	for n := range 30 {
		row := s.wallet(n)
		row.StartedAt += int64(n % 7) // some at once
		row.Counter = uint64(n)
		switch {
		case n%5 == 0:
			row.Subject = s.wallet(0).Subject
		case n == 7:
			row.Subject.WalletID = s.wallet(0).Subject.WalletID
		case n == 11:
			row.Subject.ID = s.wallet(0).Subject.WalletID
		case n == 12:
			row.EndsAt = s.ms()
		case n == 13:
			row.ExpiresAt = s.ms()
		}
		s.create(row)
		if n != 12 && n != 13 {
			live = append(live, row)
		}
	}
	s.is(s.store, live[1])
	live = slices.Delete(live, 1, 2)
	slices.SortFunc(live, func(a, b store.Session) int {
		if a.StartedAt != b.StartedAt {
			return int(b.StartedAt - a.StartedAt)
		}
		return strings.Compare(b.ID, a.ID)
	})
	of := func(id string) (rows []store.Session) {
		for _, row := range live {
			if id == "" || row.Subject.ID == id || row.Subject.WalletID == id {
				rows = append(rows, row)
			}
		}
		return rows
	}
	s.store = e.open()
	for _, id := range []string{"", s.wallet(0).Subject.ID, s.wallet(0).Subject.WalletID, s.wallet(3).Subject.ID, "nobody", strings.Repeat("x", huge)} {
		for _, limit := range []int{1, 3, 28, 1000} {
			got := s.pages(store.SessionQuery{Subject: id, Now: s.ms(), Limit: limit})
			if want := of(id); !slices.Equal(got, want) {
				e.Errorf("by pages of %d, of %.20q:\n got %v\nwant %v", limit, id, sessionIDsInOrder(got), sessionIDsInOrder(want))
			}
		}
	}
	for _, test := range []struct {
		id, subject string
		want        int
	}{{live[0].ID, "", 1}, {live[0].ID, live[0].Subject.ID, 1}, {live[0].ID, "nobody", 0}, {"session-12", "", 0}, {"session-1", "", 0}, {"\x00", "", 0}} {
		got, err := s.store.List(background, store.SessionQuery{ID: test.id, Subject: test.subject, Now: s.ms(), Limit: 5})
		e.ok(err)
		if len(got) != test.want || test.want == 1 && got[0] != live[0] {
			e.Errorf("%+v: %+v", test, got)
		}
	}
	if _, err := s.store.List(ended(), store.SessionQuery{Now: s.ms(), Limit: 5}); err != nil {
		refusedWhole(e, err)
	}
}

func sessionIDsInOrder(rows []store.Session) (ids []string) {
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}

// sessionsListedMeanwhile: what lives all the time is on one page, whatever comes and goes.
func sessionsListedMeanwhile(e sessionEnv) {
	s := sessions(e)
	const n = 60
	var want []string
	for i := range n {
		row := s.wallet(i)
		row.StartedAt -= int64(i)
		want = append(want, s.create(row).ID)
	}
	other := sessionSuite{e, e.open()}
	race(2, func(i int) {
		for round := range 20 {
			if i == 0 {
				got := sessionIDsInOrder(s.pages(store.SessionQuery{Now: s.ms(), Limit: 7}))
				got = slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(want, id) })
				if !slices.Equal(got, want) {
					e.Errorf("listed %v", got)
				}
				continue
			}
			row := other.wallet(1000 + round)
			row.StartedAt -= int64(round)
			if _, err := other.store.Create(background, row); err != nil {
				e.Error(err)
			}
			other.gone(other.store, "nobody")
			if _, _, err := other.store.End(background, row.ID); err != nil {
				e.Error(err)
			}
		}
	})
}
