package storetest

import (
	"slices"

	"github.com/picoauth/picoauth/serverauth"
)

func mintsLatest(e mintEnv) {
	s := mints(e)
	rows := append(s.rows(0, 4), s.gap(5, 7), s.row(6))
	s.append(rows...)
	_, err := s.store.Prune(background, []serverauth.AuditEntry{checkpoint(rows[3], 2)})
	e.ok(err)
	want := []serverauth.AuditEntry{rows[5], rows[4], rows[1], rows[0]}
	for _, limit := range []int{1, 2, 3, 4, 100} {
		got, err := s.store.Latest(background, limit)
		e.ok(err)
		if !slices.Equal(got, want[:min(limit, len(want))]) {
			e.Errorf("the latest %d are %+v", limit, got)
		}
	}
}

func mintsWalked(e mintEnv) {
	s := mints(e)
	rows := s.rows(0, 10)
	s.append(rows...)
	for _, test := range []struct {
		after int64
		limit int
		want  []serverauth.AuditEntry
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
	for i, change := range []func(m *serverauth.Mint){
		func(m *serverauth.Mint) {},
		func(m *serverauth.Mint) { m.ExpiresAt = now + 1 },
		func(m *serverauth.Mint) { m.ExpiresAt = now },
		func(m *serverauth.Mint) { m.Subject, m.WalletID = "other", alice },
		func(m *serverauth.Mint) { m.Subject, m.WalletID = "other", "" },
		func(m *serverauth.Mint) { m.SessionID, m.WalletID = "", "" },
		func(m *serverauth.Mint) { m.WalletID = alice },
		func(m *serverauth.Mint) { m.ID, m.Subject, m.SessionID, m.WalletID = "", "", "", "" },
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
		var want []serverauth.Mint
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
		if !slices.Equal(live, []serverauth.Mint{m}) {
			e.Errorf("got %+v", live)
		}
	}
	removed := 0
	for after := int64(0); after < n; after += batch {
		cut := checkpoint(s.row(after+batch), after+batch) // takes the one before with it
		gone, err := s.store.Prune(background, []serverauth.AuditEntry{cut})
		e.ok(err)
		removed += gone
	}
	if removed != int(n) {
		e.Errorf("removed %d of %d", removed, n)
	}
	s.holds(s.store, []serverauth.AuditEntry{checkpoint(s.row(n), n)})
}
