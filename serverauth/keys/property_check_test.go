package keys_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// sign makes a token of the longest life that the process is configured for.
func (w *world) sign(p *process) {
	if p.ring == nil {
		return
	}
	signer, err := p.ring.Signer()
	if errors.Is(err, keys.ErrUnavailable) {
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	kid := signer.KeyID
	expires := w.now.Add(p.offset + p.lifetime)
	if w.steps%50 == 0 {
		if _, err := signer.Sign(keys.AccessTokenType, claims(expires), expires.Unix()); err != nil {
			w.fail("%s cannot sign: %v", kid, err)
		}
	}
	if w.stolen[kid] {
		w.fail("stolen %s signs", kid)
	}
	if expires.After(w.expiry[kid]) {
		w.expiry[kid] = expires
	}
	if w.excused[kid] && w.elapsed-w.published[kid] > 2*(maxAge+cacheTime+time.Minute) {
		delete(w.excused, kid)
	}
	for _, d := range w.cached {
		if !d.ids[kid] && !w.excused[kid] {
			w.fail("%s signs and a client holds a set without it; stored %s ago", kid, w.elapsed-w.published[kid])
		}
	}
}

// check looks at what a process publishes.
func (w *world) check(p *process) {
	if p.ring == nil {
		return
	}
	d, err := p.ring.JWKS()
	if errors.Is(err, keys.ErrUnavailable) {
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if d.MaxAge > maxAge || d.MaxAge < time.Second {
		w.fail("max-age %s", d.MaxAge)
	}
	published := map[string]bool{}
	for _, key := range p.ring.PublishedKeys() {
		published[key.ID] = true
		if w.stolen[key.ID] && !p.store.down {
			w.fail("stolen %s is published", key.ID)
		}
	}
	slowest := w.now.Add(-skew / 2) // the clock of some resource server
	for kid, expires := range w.expiry {
		if expires.After(slowest) && !published[kid] {
			w.fail("a token of %s is valid for %s and its key is not published", kid, expires.Sub(slowest))
		}
	}
	if !p.store.down {
		w.checkStates(p)
	}
}

func (w *world) checkStates(p *process) {
	count := map[keys.State]int{}
	spares := 0
	for _, key := range p.ring.List() {
		count[key.State]++
		if key.State == keys.StatePending && key.ActivatesAt.IsZero() {
			spares++
		}
	}
	if count[keys.StateActive] != 1 || spares == 0 {
		w.fail("%d keys sign, %d spares", count[keys.StateActive], spares)
	}
	if n := count[keys.StateActive] + count[keys.StatePending] + count[keys.StateRetired]; n > 24 {
		w.fail("%d keys are published", n)
	}
}

// fetch is a client that gets the set: a cache in between may keep it for its max-age, the client for its own time.
func (w *world) fetch(p *process) {
	if p.ring == nil {
		return
	}
	d, err := p.ring.JWKS()
	if err != nil {
		return
	}
	ids := map[string]bool{}
	for _, kid := range documentIDs(w.t, d) {
		ids[kid] = true
	}
	w.cached[d.ETag] = &document{ids, w.elapsed + d.MaxAge + cacheTime}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("step %d, %s: "+format, append([]any{w.steps, w.now.Format(time.RFC3339)}, args...)...)
	for i, p := range w.processes {
		if p.ring == nil {
			w.t.Logf("process %d is down", i)
			continue
		}
		w.t.Logf("process %d, clock %s, store down %v", i, p.offset, p.store.down)
		for _, key := range p.ring.List() {
			w.t.Logf("  %.6s %-9s %-7s created %s activates %s retires %s", key.ID, key.Algorithm, key.State,
				key.CreatedAt.Format(time.DateTime), key.ActivatesAt.Format(time.DateTime), key.RetiresAt.Format(time.DateTime))
		}
	}
	w.t.FailNow()
}

var errOutOfReach = errors.New("out of reach")

// processStore is the connection of one process: it can be down, and it can be cut when some of an update's
// records are written and others not, as when the process is killed while it writes files.
type processStore struct {
	shared *keys.MemoryStore
	down   bool
	dies   bool // in its next update
	random *rand.Rand
}

func (s *processStore) Load(ctx context.Context) ([]keys.Record, error) {
	if s.down {
		return nil, errOutOfReach
	}
	return s.shared.Load(ctx)
}

func (s *processStore) Update(ctx context.Context, change func([]keys.Record) ([]keys.Record, error)) error {
	if s.down {
		return errOutOfReach
	}
	if !s.dies {
		return s.shared.Update(ctx, change)
	}
	err := s.shared.Update(ctx, func(before []keys.Record) ([]keys.Record, error) {
		after, err := change(before)
		if err != nil {
			return nil, err
		}
		return s.cut(before, after), nil
	})
	return errors.Join(err, errCrash)
}

// cut is the records when some of an update's changes have happened and the others not.
func (s *processStore) cut(before, after []keys.Record) []keys.Record {
	byID := map[string]keys.Record{}
	for _, r := range before {
		byID[r.ID] = r
	}
	written, deleted := keys.Changes(before, after)
	for _, r := range written {
		if s.random.IntN(2) == 0 {
			byID[r.ID] = r
		}
	}
	for _, id := range deleted {
		if s.random.IntN(2) == 0 {
			delete(byID, id)
		}
	}
	return slices.Collect(maps.Values(byID))
}
