package keys_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// A simulated year: several processes on one store, with rotations by interval and by hand, stolen keys, restarts with
// other settings, crashes between two writes, stores out of reach, and clocks that disagree and jump.
//
// At every step: every unexpired token has its key in the set of every process; no client lacks, in any set that it
// may still hold, a key that signs; one key signs and a spare stands by; a stolen key is nowhere. With PICOAUTH_LONG=1
// many years.
func TestSimulatedYear(t *testing.T) {
	seeds := []uint64{1}
	if os.Getenv("PICOAUTH_LONG") == "1" {
		seeds = nil
		for seed := range uint64(40) {
			seeds = append(seeds, seed, rand.Uint64())
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for w.now.Before(start.AddDate(1, 0, 0)) && !t.Failed() {
				w.step()
			}
			t.Logf("%d steps, %v", w.steps, w.events)
			for _, event := range []string{"rotated at once", "rotated later", "stolen", "restart", "crash", "clock set back"} {
				if w.events[event] == 0 {
					t.Errorf("it never happened: %s", event)
				}
			}
		})
	}
}

const (
	processes   = 3
	skew        = 40 * time.Second
	cacheTime   = 4 * time.Minute
	maxAge      = 5 * time.Minute
	rotateEvery = 6 * 24 * time.Hour
)

var errCrash = errors.New("the process was killed")

// process is one server: a ring on the shared store, with a clock and a connection of its own.
type process struct {
	ring     *keys.Ring // nil while it is down
	offset   time.Duration
	lifetime time.Duration
	store    *processStore
}

// world is the simulated time and what the test knows of it.
type world struct {
	t         *testing.T
	random    *rand.Rand
	now       time.Time     // what a right clock shows
	elapsed   time.Duration // how much time has passed; clients' caches are measured by it
	busyUntil time.Duration // small steps until then
	shared    *keys.MemoryStore
	processes [processes]*process

	expiry    map[string]time.Time     // of the longest token of each key
	published map[string]time.Duration // when each key was first stored
	stolen    map[string]bool
	excused   map[string]bool      // keys that had to sign before every client could know them
	cached    map[string]*document // by tag: the sets that clients may hold
	steps     int
	events    map[string]int
}

type document struct {
	ids   map[string]bool
	until time.Duration
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), now: start, shared: keys.NewMemoryStore(),
		expiry: map[string]time.Time{}, published: map[string]time.Duration{}, stolen: map[string]bool{},
		excused: map[string]bool{}, cached: map[string]*document{}, events: map[string]int{},
	}
	for i := range w.processes {
		w.processes[i] = &process{store: &processStore{shared: w.shared, random: w.random}}
		w.restart(w.processes[i])
	}
	return w
}

func (w *world) chance(oneIn int) bool { return w.random.IntN(oneIn) == 0 }

func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.random.Int64N(int64(b-a)))
}

func (w *world) step() {
	w.steps++
	w.passTime()
	w.disturb()
	for _, p := range w.processes {
		w.maintain(p)
	}
	w.notePublication()
	for _, p := range w.processes {
		w.sign(p)
	}
	for _, p := range w.processes {
		w.check(p)
	}
	w.fetch(w.processes[w.random.IntN(processes)])
}

// passTime goes in seconds while something is happening, else in minutes, and sometimes nothing runs for days.
func (w *world) passTime() {
	pass := w.between(5*time.Minute, 6*time.Hour)
	switch {
	case w.elapsed < w.busyUntil:
		pass = w.between(time.Second, 45*time.Second)
	case w.chance(300):
		pass = w.between(time.Hour, 60*time.Hour)
	}
	w.elapsed += pass
	w.now = w.now.Add(pass)
	if w.chance(400) {
		w.event("clock set back")
		w.now = w.now.Add(-w.between(time.Second, 10*time.Minute))
	}
	for tag, d := range w.cached {
		if d.until < w.elapsed {
			delete(w.cached, tag)
		}
	}
}

func (w *world) event(name string) {
	w.events[name]++
	w.busyUntil = w.elapsed + 25*time.Minute
}

// disturb lets something happen now and then, less often in the small steps after something has happened.
func (w *world) disturb() {
	if w.elapsed < w.busyUntil && !w.chance(8) {
		return
	}
	p := w.processes[w.random.IntN(processes)]
	switch {
	case w.chance(30):
		p.offset = w.between(-skew/2, skew/2)
	case w.chance(60):
		w.event("restart")
		w.restart(p)
	case w.chance(100):
		p.ring = nil
	case w.chance(60):
		p.store.dies = true
	case w.chance(40):
		p.store.down = true
	case w.chance(150):
		w.rotate(p)
	case w.chance(300):
		w.steal(p)
	}
}

// restart opens the store with settings that may differ from the other processes'.
func (w *world) restart(p *process) {
	algorithms := []string{"EdDSA", "EdDSA", "ES256", "ML-DSA-44"}
	lifetimes := []time.Duration{time.Minute, time.Hour, 30 * time.Hour}
	p.store.down, p.ring = false, nil
	p.lifetime = lifetimes[w.random.IntN(len(lifetimes))]
	ring, err := keys.Open(context.Background(), p.store, keys.Config{
		Algorithm: algorithms[w.random.IntN(len(algorithms))], TokenLifetime: p.lifetime, Skew: skew, MaxAge: maxAge,
		CacheTime: cacheTime, RotateEvery: rotateEvery, Clock: func() time.Time { return w.now.Add(p.offset) },
	})
	if w.succeeded(p, err) {
		p.ring = ring
	}
}

// succeeded handles what a process may run into: it dies, or its store is out of reach.
func (w *world) succeeded(p *process, err error) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, errCrash):
		w.event("crash")
		p.ring, p.store.dies = nil, false
	case !errors.Is(err, errOutOfReach):
		w.t.Fatal(err)
	}
	return false
}

func (w *world) maintain(p *process) {
	if p.ring == nil {
		if w.chance(20) {
			w.restart(p)
		}
		return
	}
	if p.store.down && w.chance(6) {
		p.store.down = false
	}
	before, _ := p.ring.Signer()
	if !w.succeeded(p, p.ring.Tick(context.Background())) {
		return
	}
	if after, err := p.ring.Signer(); err == nil && before != nil && after.KeyID != before.KeyID {
		w.event("another signer")
	}
}

func (w *world) rotate(p *process) {
	if p.ring == nil {
		return
	}
	key, err := p.ring.Rotate(context.Background())
	if !w.succeeded(p, err) {
		return
	}
	if key.State != keys.StateActive {
		w.event("rotated later")
		return
	}
	w.event("rotated at once")
	if w.chance(2) {
		w.rotate(p)
	}
}

// steal reports a key as stolen, mostly the one that signs. Who was killed before the answer asks again.
func (w *world) steal(p *process) {
	if p.ring == nil {
		return
	}
	list := p.ring.List()
	kid := list[w.random.IntN(len(list))].ID
	if signer, err := p.ring.Signer(); err == nil && !w.chance(3) {
		kid = signer.KeyID
	}
	at := w.now.Add(p.offset).Truncate(time.Millisecond)
	_, err := p.ring.Compromise(context.Background(), kid)
	w.excuse(at)
	if errors.Is(err, keys.ErrUnknownKey) || !w.succeeded(p, err) {
		return
	}
	w.event("stolen")
	if !w.stolen[kid] {
		w.t.Fatal("a compromise that was answered is not in the store")
	}
}

// excuse allows the key that a theft made sign at once to be unknown to clients.
func (w *world) excuse(at time.Time) {
	for _, r := range w.notePublication() {
		if r.ActivatesAt.Equal(at) && w.elapsed-w.published[r.ID] < maxAge+cacheTime+time.Minute {
			w.events["young spare"]++
			w.excused[r.ID] = true
		}
	}
	for _, p := range w.processes { // all obey within the 5 s
		if p.ring != nil {
			p.store.down = false
			w.succeeded(p, p.ring.Tick(context.Background()))
		}
	}
}

// notePublication notes when each key came into the store, and which are tombstones. It returns the records.
func (w *world) notePublication() []keys.Record {
	records, err := w.shared.Load(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range records {
		if _, known := w.published[r.ID]; !known {
			w.published[r.ID] = w.elapsed
		}
		if !r.CompromisedAt.IsZero() {
			w.stolen[r.ID] = true
			delete(w.expiry, r.ID)
		}
	}
	return records
}
