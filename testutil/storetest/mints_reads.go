package storetest

import (
	"slices"

	"github.com/picoauth/picoauth/serverauth/audit"
)

func mintsLatest(e mintEnv) {
	s := mints(e)
	rows := append(s.rows(0, 4), s.gap(5, 7), s.row(6))
	s.append(rows...)
	_, err := s.store.Prune(background, []audit.Entry{checkpoint(rows[3], 2)})
	e.ok(err)
	want := []audit.Entry{rows[5], rows[4], rows[1], rows[0]}
	for _, limit := range []int{1, 2, 3, 4, 100} {
		got, err := s.store.Latest(background, audit.Query{Limit: limit})
		e.ok(err)
		if !slices.Equal(got, want[:min(limit, len(want))]) {
			e.Errorf("the latest %d are %+v", limit, got)
		}
	}
}

func mintsQueried(e mintEnv) {
	s := mints(e)
	rows := append(s.rows(0, 7), s.gap(8, 3), s.row(9))
	for i, m := range map[int]audit.Mint{
		0: {ID: "a", SessionID: "s", Subject: alice},
		1: {ID: "a", SessionID: "s", Subject: "other", WalletID: alice},
		2: {ID: "s", SessionID: "a", Subject: "other", WalletID: "w"},
		3: {ID: alice, SessionID: alice, ExpiresAt: s.seconds() - 3600}, // has expired
		5: {},
	} {
		m.IssuedAt = s.seconds()
		rows[i].Mint = m
	}
	s.append(rows...)
	for _, test := range []struct {
		name string
		audit.Query
		want []int64
	}{
		{"all", audit.Query{}, []int64{9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{"a page", audit.Query{Before: 8, Limit: 3}, []int64{7, 6, 5}},
		{"the last page", audit.Query{Before: 2}, []int64{1}},
		{"nothing before", audit.Query{Before: 1}, nil},
		{"from the future", audit.Query{Before: 1 << 62, Limit: 1}, []int64{9}},
		{"a token", audit.Query{ID: "a"}, []int64{2, 1}},
		{"a token, a page", audit.Query{ID: "a", Before: 2}, []int64{1}},
		{"a token that has expired", audit.Query{ID: alice}, []int64{4}},
		{"a session", audit.Query{SessionID: "s", Limit: 1}, []int64{2}},
		{"a subject or a wallet", audit.Query{Subjects: []string{alice}}, []int64{2, 1}},
		{"subjects", audit.Query{Subjects: []string{alice, "w", "nobody"}}, []int64{3, 2, 1}},
		{"a subject and its wallet", audit.Query{Subjects: []string{"other", "w", alice}}, []int64{3, 2, 1}},
		{"all three", audit.Query{ID: "a", SessionID: "s", Subjects: []string{"other"}}, []int64{2}},
		{"all three of different ones", audit.Query{ID: "s", SessionID: "s", Subjects: []string{"other"}}, nil},
		{"nobody", audit.Query{Subjects: []string{"nobody"}}, nil},
	} {
		if test.Limit == 0 {
			test.Limit = 100
		}
		found, err := e.open().Latest(background, test.Query)
		e.ok(err)
		var want []audit.Entry
		for _, seq := range test.want {
			want = append(want, rows[seq-1])
		}
		if !slices.Equal(found, want) {
			e.Errorf("%s:\n got %+v\nwant %+v", test.name, found, want)
		}
	}
}

// mintsLongest: gaps count, and what was pruned may.
func mintsLongest(e mintEnv) {
	s := mints(e)
	is := func(want ...int64) {
		e.Helper()
		longest, err := e.open().Longest(background)
		e.ok(err)
		if !slices.Contains(want, longest) {
			e.Errorf("the longest is %d, not %d", longest, want)
		}
	}
	rows := append(s.rows(0, 2), s.gap(3, 1), s.row(4))
	hour := s.seconds() + 3600
	rows[1].Mint.ExpiresAt, rows[2].Mint.ExpiresAt = hour+90*86400, hour+91*86400
	s.append(rows[0])
	is(hour)
	s.append(rows[1])
	is(hour + 90*86400)
	s.append(rows[2:]...)
	is(hour + 91*86400)
	s.prunes(s.store, 2, checkpoint(rows[2], 2))
	is(hour, hour+91*86400)
}

func mintsWalked(e mintEnv) {
	s := mints(e)
	rows := s.rows(0, 10)
	s.append(rows...)
	for _, test := range []struct {
		after int64
		limit int
		want  []audit.Entry
	}{
		{0, 3, rows[:3]}, {3, 3, rows[3:6]}, {9, 3, rows[9:]}, {10, 3, nil}, {1000, 1, nil}, {0, 1000, rows}, {-1, 1, rows[:1]},
	} {
		got, err := s.store.Walk(background, test.after, test.limit)
		e.ok(err)
		if !slices.Equal(got, test.want) {
			e.Errorf("after %d, up to %d: %+v", test.after, test.limit, got)
		}
	}
}

func mintsLive(e mintEnv) {
	s := mints(e)
	now := s.seconds()
	rows := s.rows(0, 8)
	for i, change := range []func(m *audit.Mint){
		func(m *audit.Mint) {},
		func(m *audit.Mint) { m.ExpiresAt = now + 1 },
		func(m *audit.Mint) { m.ExpiresAt = now },
		func(m *audit.Mint) { m.Subject, m.WalletID = "other", alice },
		func(m *audit.Mint) { m.Subject, m.WalletID = "other", "" },
		func(m *audit.Mint) { m.SessionID, m.WalletID = "", "" },
		func(m *audit.Mint) { m.WalletID = alice },
		func(m *audit.Mint) { m.ID, m.Subject, m.SessionID, m.WalletID = "", "", "", "" },
	} {
		m := &rows[i].Mint
		m.Subject, m.SessionID, m.WalletID = alice, "s", ""
		if change(m); i == 5 {
			m.ID = "s" // the same text in another field is something else
		}
	}
	gap := s.gap(9, 3)
	s.append(append(rows, gap)...)
	for _, test := range []struct {
		name          string
		jti, sid, sub string
		now           int64
		want          []int
	}{
		{"nothing", "", "", "", 0, nil},
		{"a token", "jti-1", "", "", now, []int{0}},
		{"a token that has expired", "jti-3", "", "", now, nil},
		{"a token a second ago", "jti-3", "", "", now - 1, []int{2}},
		{"a session", "", "s", "", now, []int{0, 1, 3, 4, 6}},
		{"a subject or a wallet", "", "", alice, now, []int{0, 1, 3, 5, 6}},
		{"a subject in a second", "", "", alice, now + 1, []int{0, 3, 5, 6}},
		{"all three", "s", "s", alice, now, []int{0, 1, 3, 4, 5, 6}},
		{"nobody", "x", "x", "x", now, nil},
		{"all have expired", "jti-1", "s", alice, now + 3600, nil},
	} {
		live, err := e.open().Live(background, test.jti, test.sid, test.sub, test.now)
		e.ok(err)
		var want []audit.Mint
		for _, i := range test.want {
			want = append(want, rows[i].Mint)
		}
		if !slices.Equal(live, want) {
			e.Errorf("%s:\n got %+v\nwant %+v", test.name, live, want)
		}
	}
}

// mintsMany: neither looking for live mints nor pruning depends on how long the audit is.
func mintsMany(e mintEnv) {
	s := mints(e)
	const batch = 500
	n := int64(many(2500))
	for after := int64(0); after < n; after += batch {
		s.append(s.rows(after, batch)...)
	}
	for _, seq := range []int64{1, n / 2, n} {
		m := s.row(seq).Mint
		live, err := s.store.Live(background, m.ID, m.SessionID, m.Subject, s.seconds())
		e.ok(err)
		if !slices.Equal(live, []audit.Mint{m}) {
			e.Errorf("got %+v", live)
		}
	}
	removed := 0
	for after := int64(0); after < n; after += batch {
		cut := checkpoint(s.row(after+batch), after+batch) // takes the one before with it
		gone, err := s.store.Prune(background, []audit.Entry{cut})
		e.ok(err)
		removed += gone
	}
	if removed != int(n) {
		e.Errorf("removed %d of %d", removed, n)
	}
	s.holds(s.store, []audit.Entry{checkpoint(s.row(n), n)})
}
