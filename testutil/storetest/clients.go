package storetest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

type clientEnv = env[store.ClientStore]

// Clients is what every ClientStore must do.
func Clients(t *testing.T, fresh Fresh[store.ClientStore]) {
	t.Helper()
	run(t, fresh, []test[store.ClientStore]{
		{"a client is kept as it is", clientIsKept},
		{"an absent one", clientAbsent},
		{"one of a hundred is created", clientCreateRace},
		{"one of a hundred deletes", clientDeleteRace},
		{"keep moves ahead only", clientKept},
		{"pages", clientPages},
		{"prune", clientsPruned},
		{"an ended context", clientCancelled},
		{"a crash", clientCrash},
		{"broken off", clientsBrokenOff},
	})
}

func (s clientSuite) client(id string) store.Client {
	return store.Client{ID: id, Data: []byte(`{"name":"` + id + `"}`), CreatedAt: s.ms(), MAC: [32]byte{1, 2, 3}}
}

// clientSuite is an env with a handle.
type clientSuite struct {
	clientEnv
	store store.ClientStore
}

func clients(e clientEnv) clientSuite { return clientSuite{e, e.open()} }

func (s clientSuite) create(c store.Client, want bool) {
	s.Helper()
	created, err := s.store.Create(background, c)
	s.ok(err)
	if created != want {
		s.Errorf("creating %.40q: %v", c.ID, created)
	}
}

func sameClient(a, b store.Client) bool {
	same := bytes.Equal(a.Data, b.Data)
	a.Data, b.Data = nil, nil
	return same && a.ID == b.ID && a.CreatedAt == b.CreatedAt && a.Until == b.Until && a.MAC == b.MAC
}

// has fails unless the store has the client.
func (s clientSuite) has(in store.ClientStore, want store.Client) {
	s.Helper()
	got, found, err := in.Find(background, want.ID)
	s.ok(err)
	if !found || !sameClient(got, want) {
		s.Errorf("found %v: %.200v\nwant %.200v", found, got, want)
	}
}

func (s clientSuite) hasNot(in store.ClientStore, id string) {
	s.Helper()
	if got, found, err := in.Find(background, id); found || err != nil {
		s.Errorf("found %.200v, %v", got, err)
	}
}

func clientIsKept(e clientEnv) {
	s := clients(e)
	for _, c := range []store.Client{
		s.client("a"),
		{ID: "forgotten", Data: []byte{0, 1, 0xff}, CreatedAt: s.ms(), Until: s.ms() + 60_000, MAC: [32]byte{31: 9}},
		{ID: "https://app.example.com/'; DROP TABLE x; --\x00ñ💙 {tag}", CreatedAt: 1},
		{ID: strings.Repeat("i", 2048), Data: bytes.Repeat([]byte("d"), huge), CreatedAt: s.ms()},
	} {
		s.create(c, true)
		s.has(e.open(), c)
		other := c
		other.Data = []byte("another")
		s.create(other, false)
		s.has(s.store, c)
	}
}

func clientAbsent(e clientEnv) {
	s := clients(e)
	s.hasNot(s.store, "a")
	s.ok(s.store.Keep(background, "a", s.ms()+1000))
	s.hasNot(s.store, "a")
	if deleted, err := s.store.Delete(background, "a"); deleted || err != nil {
		e.Errorf("deleted: %v, %v", deleted, err)
	}
	if all, err := s.store.List(background, "", 10); len(all) != 0 || err != nil {
		e.Errorf("listed %v, %v", all, err)
	}
}

func clientCreateRace(e clientEnv) {
	handles := e.two()
	var created tally[bool]
	race(racers, func(i int) {
		c := clientSuite{clientEnv: e}.client("a")
		c.CreatedAt += int64(i)
		done, err := handles[i%2].Create(background, c)
		if err != nil {
			e.Error(err)
		}
		created.add(done)
	})
	created.must(e.T, true, 1)
}

func clientDeleteRace(e clientEnv) {
	s := clients(e)
	s.create(s.client("a"), true)
	handles := e.two()
	var deleted tally[bool]
	race(racers, func(i int) {
		done, err := handles[i%2].Delete(background, "a")
		if err != nil {
			e.Error(err)
		}
		deleted.add(done)
	})
	deleted.must(e.T, true, 1)
	s.hasNot(s.store, "a")
	s.create(s.client("a"), true)
}

func clientKept(e clientEnv) {
	s := clients(e)
	forever, c := s.client("forever"), s.client("a")
	c.Until = s.ms() + 60_000
	s.create(forever, true)
	s.create(c, true)
	for _, until := range []int64{c.Until + 1000, c.Until, 0, c.Until + 999} {
		s.ok(s.store.Keep(background, "a", until))
		s.ok(s.store.Keep(background, "forever", until))
	}
	c.Until += 1000
	s.has(e.open(), c)
	s.has(e.open(), forever)
}

func clientPages(e clientEnv) {
	s := clients(e)
	var ids []string
	for i := range 25 {
		id := strings.Repeat(string(rune('a'+i%5)), 1+i/5)
		ids = append(ids, id)
		s.create(s.client(id), true)
	}
	ids = append(ids, "B", "é")
	s.create(s.client("B"), true)
	s.create(s.client("é"), true)
	slices.Sort(ids)
	var listed []string
	for after := ""; ; {
		page, err := s.store.List(background, after, 4)
		e.ok(err)
		for _, c := range page {
			if !sameClient(c, s.client(c.ID)) {
				e.Errorf("listed %v", c)
			}
			listed = append(listed, c.ID)
		}
		if len(page) < 4 {
			break
		}
		after = page[3].ID
	}
	if !slices.Equal(listed, ids) {
		e.Errorf("listed %q\nwant %q", listed, ids)
	}
}

func clientsPruned(e clientEnv) {
	s := clients(e)
	if e.Expires {
		return // it forgets by a clock that cannot be set
	}
	now := s.ms()
	forever := s.client("forever")
	s.create(forever, true)
	for i, until := range []int64{now - 2, now - 1, now, now + 1} {
		c := s.client(numbered("client", i))
		c.Until = until
		s.create(c, true)
	}
	s.ok(s.store.Keep(background, numbered("client", 0), now+5))
	for _, want := range []int{1, 0} {
		if n, err := s.store.Prune(background, now, 10); n != want || err != nil {
			e.Errorf("pruned %d, %v", n, err)
		}
	}
	if n, err := s.store.Prune(background, now+10, 2); n != 2 || err != nil {
		e.Errorf("pruned %d, %v", n, err)
	}
	if n, err := s.store.Prune(background, now+10, 2); n != 1 || err != nil {
		e.Errorf("pruned %d, %v", n, err)
	}
	s.has(e.open(), forever)
}

func clientCancelled(e clientEnv) {
	s := clients(e)
	c := s.client("a")
	if created, err := s.store.Create(ended(), c); err != nil {
		refusedWhole(e, err)
		s.hasNot(s.store, "a")
		s.create(c, true)
	} else if !created {
		e.Error("it is there already")
	}
	for _, call := range []func(ctx context.Context) error{
		func(ctx context.Context) error { _, _, err := s.store.Find(ctx, "a"); return err },
		func(ctx context.Context) error { _, err := s.store.List(ctx, "", 10); return err },
		func(ctx context.Context) error { return s.store.Keep(ctx, "a", 1) },
		func(ctx context.Context) error { _, err := s.store.Prune(ctx, 1, 10); return err },
	} {
		refusedWhole(e, call(ended()))
	}
	s.has(s.store, c)
}

func clientCrash(e clientEnv) {
	s := clients(e)
	a, b := s.client("a"), s.client("b")
	a.Until = s.ms() + time.Hour.Milliseconds()
	s.create(a, true)
	s.create(b, true)
	s.ok(s.store.Keep(background, "a", a.Until+1000))
	if deleted, err := s.store.Delete(background, "b"); !deleted || err != nil {
		e.Errorf("deleted: %v, %v", deleted, err)
	}
	a.Until += 1000
	s.store = e.crash()
	s.has(s.store, a)
	s.hasNot(s.store, "b")
}

func clientsBrokenOff(e clientEnv) {
	brokenOff(e, []operation[store.ClientStore]{
		{"create", createClientBrokenOff},
		{"delete", deleteClientBrokenOff},
		{"keep", keepClientBrokenOff},
	})
}

// A client is there whole, or not at all.
func createClientBrokenOff(e clientEnv, handle store.ClientStore, n int) (call, check[store.ClientStore]) {
	s := clientSuite{e, handle}
	c := s.client(numbered("create", n))
	run := func(ctx context.Context) error {
		created, err := handle.Create(ctx, c)
		if err == nil && !created {
			e.Error("it was there before")
		}
		return err
	}
	return run, func(other store.ClientStore, err error) {
		_, found, errFind := other.Find(background, c.ID)
		e.ok(errFind)
		if found || err == nil {
			s.has(other, c)
		}
	}
}

func deleteClientBrokenOff(e clientEnv, handle store.ClientStore, n int) (call, check[store.ClientStore]) {
	s := clientSuite{e, handle}
	c := s.client(numbered("delete", n))
	s.create(c, true)
	run := func(ctx context.Context) error { _, err := handle.Delete(ctx, c.ID); return err }
	return run, func(other store.ClientStore, err error) {
		_, found, errFind := other.Find(background, c.ID)
		e.ok(errFind)
		if found && err == nil {
			e.Error("it is there still")
		}
		if found {
			s.has(other, c)
		}
	}
}

func keepClientBrokenOff(e clientEnv, handle store.ClientStore, n int) (call, check[store.ClientStore]) {
	s := clientSuite{e, handle}
	c := s.client(numbered("keep", n))
	c.Until = s.ms() + 60_000
	s.create(c, true)
	kept := c
	kept.Until += 60_000
	run := func(ctx context.Context) error { return handle.Keep(ctx, c.ID, kept.Until) }
	return run, func(other store.ClientStore, err error) {
		got, found, errFind := other.Find(background, c.ID)
		e.ok(errFind)
		if !found || !sameClient(got, kept) && (err == nil || !sameClient(got, c)) {
			e.Errorf("found %v: %v", found, got)
		}
	}
}
