package storetest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/store"
)

type mintEnv = env[audit.Store]

// Mints is what every audit.Store must do.
func Mints(t *testing.T, fresh Fresh[audit.Store]) {
	t.Helper()
	run(t, fresh, []test[audit.Store]{
		{"empty at first", mintsEmpty},
		{"a row is kept as it is", mintIsKept},
		{"only after the head", mintsAfterHead},
		{"one of a hundred appends", mintRace},
		{"latest", mintsLatest},
		{"latest of somebody", mintsQueried},
		{"the longest life", mintsLongest},
		{"walk", mintsWalked},
		{"live", mintsLive},
		{"checkpoints", mintsPruned},
		{"checkpoints that do not fit", mintsNotPruned},
		{"two prune and one appends", mintsPruneRace},
		{"an ended context", mintsCancelled},
		{"a crash", mintsCrash},
		{"a lost commit", mintsLostCommit},
		{"broken off", mintsBrokenOff},
		{"a million", mintsMany},
	})
}

// mintSuite is an env with a handle.
type mintSuite struct {
	mintEnv
	store audit.Store
}

func mints(e mintEnv) mintSuite { return mintSuite{e, e.open()} }

// row is a mint that expires in an hour. The store does not check seals, so any text stands for what is sealed. Every third
// has nothing of what mints did not have at first.
func (s mintSuite) row(seq int64) audit.Entry {
	m := audit.Mint{
		ID: fmt.Sprintf("jti-%d", seq), Subject: fmt.Sprintf("subject-%d", seq), Role: "wallet", IssuedAt: s.seconds(),
		ExpiresAt: s.seconds() + 3600, Kind: store.KindWallet, Scope: "read write", SessionID: fmt.Sprintf("session-%d", seq),
		WalletID: fmt.Sprintf("wallet-%d", seq),
	}
	if seq%3 > 0 {
		m.ClientID, m.RequestID, m.Client = "pico", fmt.Sprintf("request-%d", seq), "2001:db8::1"
	}
	if seq%3 == 2 {
		m.Act = audit.Act(fmt.Sprintf(`{"sub":"agent-%d","act":{"sub":"\x00"}}`, seq))
	}
	return audit.Entry{Seq: seq, MAC: mac("row", seq), Mint: m}
}

func mac(text string, seq int64) audit.MAC {
	return sha256.Sum256(fmt.Appendf(nil, "%s %d", text, seq))
}

// gap is a row for mints that were lost.
func (s mintSuite) gap(seq, lost int64) audit.Entry {
	return audit.Entry{
		Seq: seq, MAC: mac("gap", seq), Lost: lost, Mint: audit.Mint{IssuedAt: s.seconds(), ExpiresAt: s.seconds() + 3600},
	}
}

// checkpoint stands for n rows up to end.
func checkpoint(end audit.Entry, n int64) audit.Entry {
	return audit.Entry{Seq: end.Seq, MAC: end.MAC, Pruned: n, Seal: mac("checkpoint", end.Seq<<20|n)}
}

// append appends rows from the head on that the store says it has.
func (s mintSuite) append(rows ...audit.Entry) {
	s.Helper()
	after, err := s.store.Head(background)
	s.ok(err)
	head, appended, err := s.store.Append(background, after, rows)
	s.ok(err)
	if want := rows[len(rows)-1].Head(); !appended || head != want {
		s.Fatalf("appended: %v, the head is %v, not %v", appended, head, want)
	}
}

// rows returns n mints that follow a number.
func (s mintSuite) rows(after, n int64) (rows []audit.Entry) {
	for seq := after + 1; seq <= after+n; seq++ {
		rows = append(rows, s.row(seq))
	}
	return rows
}

// holds fails unless the audit is these rows.
func (s mintSuite) holds(store audit.Store, want []audit.Entry) {
	s.Helper()
	got, err := store.Walk(background, 0, len(want)+10)
	s.ok(err)
	if !slices.Equal(got, want) {
		s.Errorf("the audit is\n%+v, not\n%+v", got, want)
	}
	var last audit.Head
	if len(want) > 0 {
		last = want[len(want)-1].Head()
	}
	if head, err := store.Head(background); err != nil || head != last {
		s.Errorf("the head is %v, %v, not %v", head, err, last)
	}
}

func mintsEmpty(e mintEnv) {
	s := mints(e)
	s.holds(s.store, nil)
	latest, err := s.store.Latest(background, audit.Query{Limit: 10})
	e.ok(err)
	live, err := s.store.Live(background, "a", "b", "c", 0)
	e.ok(err)
	longest, err := s.store.Longest(background)
	e.ok(err)
	removed, err := s.store.Prune(background, []audit.Entry{checkpoint(s.row(1), 1)})
	e.ok(err)
	if len(latest) > 0 || len(live) > 0 || removed > 0 || longest != 0 {
		e.Errorf("got %v, %v, %d, %d", latest, live, removed, longest)
	}
	s.holds(s.store, nil)
}

func mintIsKept(e mintEnv) {
	s := mints(e)
	odd := s.row(2)
	odd.Mint = audit.Mint{
		ID: "\x00\xff\xfe", Subject: "'; DROP TABLE x; --", Role: "ñ 💙", IssuedAt: -1, ExpiresAt: 1<<62 + 1, Kind: "\"\\", Scope: "$1 %s {tag}\n",
		AgentID: "agent\x00", SessionID: string([]byte{0x80, 0x00, 0x80}), WalletID: " ",
	}
	bare := audit.Entry{Seq: 4, MAC: mac("bare", 4)}
	long := s.row(5)
	long.Mint.Subject, long.Mint.SessionID = strings.Repeat("s", huge), strings.Repeat("t", huge)
	want := []audit.Entry{s.row(1), odd, s.gap(3, 1<<40), bare, long}
	s.append(want...)
	s.holds(e.open(), want)
	live, err := s.store.Live(background, odd.Mint.ID, odd.Mint.SessionID, odd.Mint.Subject, s.seconds())
	e.ok(err)
	if !slices.Equal(live, []audit.Mint{odd.Mint}) {
		e.Errorf("got %+v", live)
	}
	live, err = s.store.Live(background, "", "", long.Mint.Subject, s.seconds())
	e.ok(err)
	if !slices.Equal(live, []audit.Mint{long.Mint}) {
		e.Errorf("a long subject has %d live mints", len(live))
	}
}

func mintsAfterHead(e mintEnv) {
	s := mints(e)
	other := e.open()
	refused := func(after audit.Head, rows ...audit.Entry) {
		e.Helper()
		want, err := s.store.Head(background)
		e.ok(err)
		head, appended, err := other.Append(background, after, rows)
		e.ok(err)
		if appended || head != want {
			e.Errorf("appended after %v: %v, the head is %v", after, appended, head)
		}
	}
	refused(audit.Head{Seq: 1, MAC: mac("row", 1)}, s.row(2))
	first := s.rows(0, 3)
	s.append(first...)
	refused(audit.Head{}, first...)                               // the same once more
	refused(audit.Head{}, s.gap(1, 1), s.row(2))                  // others from the beginning
	refused(first[1].Head(), s.gap(3, 1), s.row(4))               // after one that is not the last
	refused(audit.Head{Seq: 3, MAC: mac("another", 3)}, s.row(4)) // after another last one
	refused(audit.Head{Seq: 4, MAC: mac("row", 4)}, s.row(5))     // after one to come
	s.holds(s.store, first)
	s.append(s.rows(3, 2)...)
	s.holds(other, s.rows(0, 5))
}

func mintRace(e mintEnv) {
	s := mints(e)
	handles := [2]audit.Store{s.store, e.open()}
	var after audit.Head
	for range 5 {
		var found tally[bool]
		var heads tally[audit.Head]
		race(racers, func(i int) {
			rows := s.rows(after.Seq, 3)
			for k := range rows {
				rows[k].MAC = mac(numbered("racer", i), rows[k].Seq)
			}
			head, appended, err := handles[i%2].Append(background, after, rows)
			if err != nil || appended && head != rows[2].Head() {
				e.Errorf("appended: %v, %v, %v", appended, head, err)
			}
			found.add(appended)
			heads.add(head)
		})
		found.must(e, true, 1)
		if len(heads.count) != 1 {
			e.Errorf("the racers saw %d heads", len(heads.count))
		}
		head, err := s.store.Head(background)
		e.ok(err)
		after = head
	}
	rows, err := s.store.Walk(background, 0, 100)
	e.ok(err)
	if len(rows) != 15 {
		e.Errorf("%d rows instead of 15", len(rows))
	}
}

func mintsCancelled(e mintEnv) {
	s := mints(e)
	ctx := ended()
	rows := s.rows(0, 3)
	if _, appended, err := s.store.Append(ctx, audit.Head{}, rows); err != nil {
		refusedWhole(e, err)
		if appended {
			e.Error("appended with an error")
		}
		s.holds(s.store, nil)
		s.append(rows...)
	}
	for name, read := range map[string]func() error{
		"head":    func() error { _, err := s.store.Head(ctx); return err },
		"latest":  func() error { _, err := s.store.Latest(ctx, audit.Query{Limit: 1}); return err },
		"longest": func() error { _, err := s.store.Longest(ctx); return err },
		"walk":    func() error { _, err := s.store.Walk(ctx, 0, 1); return err },
		"live":    func() error { _, err := s.store.Live(ctx, "a", "b", "c", 0); return err },
	} {
		if err := read(); err != nil {
			e.Log(name)
			refusedWhole(e, err)
		}
	}
	if _, err := s.store.Prune(ctx, []audit.Entry{checkpoint(rows[1], 2)}); err != nil {
		refusedWhole(e, err)
		s.holds(s.store, rows)
	}
}

func mintsCrash(e mintEnv) {
	s := mints(e)
	s.append(s.rows(0, 5)...)
	cut := checkpoint(s.row(3), 2)
	_, err := s.store.Prune(background, []audit.Entry{cut})
	e.ok(err)
	s.append(s.row(6))
	s.store = e.crash()
	s.holds(s.store, []audit.Entry{s.row(1), cut, s.row(4), s.row(5), s.row(6)})
	s.append(s.row(7))
}
