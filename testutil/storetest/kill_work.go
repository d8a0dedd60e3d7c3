package storetest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/store"
)

var errWrongOutcome = errors.New("storetest: not the outcome that was due")

// work uses the stores until an error, such as that the server was killed.
func work(t *testing.T, s *store.Stores) {
	t.Helper()
	process := fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())
	race(8, func(i int) {
		for n := 0; ; n++ {
			if err := workOnce(s, fmt.Sprintf("%s-%d-%d", process, i, n), i == 0); err != nil {
				t.Log(err)
				return
			}
		}
	})
}

// workOnce does one of each. Only one goroutine writes the audit, whose head moves.
func workOnce(s *store.Stores, id string, audits bool) error {
	nonce, err := s.Challenges.Create(background, alice, time.Hour)
	if err != nil {
		return err
	}
	if won, err := s.Challenges.Validate(background, alice, nonce); err != nil || !won {
		return errors.Join(err, errWrongOutcome)
	}
	answer("spent", nonce)
	if err := workSession(s, id); err != nil {
		return err
	}
	now := time.Now().Unix()
	if _, err := s.Revocations.Add(background, []store.Revocation{{JTI: id, RevokedAt: now, Exp: now + 3600}}); err != nil {
		return err
	}
	answer("revoked", id)
	if !audits {
		return nil
	}
	head, err := s.Mints.Head(background)
	if err != nil {
		return err
	}
	row := audit.Entry{Seq: head.Seq + 1, MAC: mac(id, head.Seq+1), Mint: audit.Mint{ID: id}}
	if _, appended, err := s.Mints.Append(background, head, []audit.Entry{row}); err != nil || !appended {
		return errors.Join(err, errWrongOutcome)
	}
	answer("minted", id, row.Seq)
	return nil
}

// workSession leaves a session that was refreshed, and one that was ended.
func workSession(s *store.Stores, id string) error {
	now := time.Now().UnixMilli()
	for _, end := range []bool{false, true} {
		row := store.Session{ID: id + strconv.FormatBool(end), Subject: store.Subject{ID: id}, StartedAt: now, ExpiresAt: now + day, EndsAt: now + day}
		if _, err := s.Sessions.Create(background, row); err != nil {
			return err
		}
		answer("rotated", row.ID, row.Counter)
		for range 2 {
			next, outcome, err := s.Sessions.Rotate(background, store.Rotation{SessionID: row.ID, Counter: row.Counter, Now: now, TTL: day})
			if err != nil || outcome != store.SessionRotated {
				return errors.Join(err, errWrongOutcome)
			}
			row = next
			answer("rotated", row.ID, row.Counter)
		}
		if !end {
			continue
		}
		answer("ending", row.ID)
		if _, there, err := s.Sessions.End(background, row.ID); err != nil || !there {
			return errors.Join(err, errWrongOutcome)
		}
		answer("ended", row.ID)
	}
	return nil
}

// answers are what processes answered before they were killed.
type answers struct {
	count    int
	spent    []string
	sessions map[string]uint64 // counters of those that nobody began to end
	ending   map[string]bool
	ended    []string
	revoked  []string
	minted   map[int64]string
}

func (a *answers) add(line string) {
	if a.count == 0 {
		a.sessions, a.ending, a.minted = map[string]uint64{}, map[string]bool{}, map[int64]string{}
	}
	a.count++
	fields := strings.Fields(line)
	switch kind, id := fields[0], fields[1]; kind {
	case "spent":
		a.spent = append(a.spent, id)
	case "rotated":
		counter, _ := strconv.ParseUint(fields[2], 10, 64)
		a.sessions[id] = max(a.sessions[id], counter)
	case "ending":
		a.ending[id] = true
	case "ended":
		a.ended = append(a.ended, id)
	case "revoked":
		a.revoked = append(a.revoked, id)
	case "minted":
		seq, _ := strconv.ParseInt(fields[2], 10, 64)
		a.minted[seq] = id
	}
}

// check looks for everything that is new since the last check, and for all revocations and mints.
func (a *answers) check(t *testing.T, s *store.Stores) {
	t.Helper()
	for _, nonce := range a.spent {
		if again, err := s.Challenges.Validate(background, alice, nonce); err != nil || again {
			t.Errorf("a spent nonce is accepted: %v, %v", again, err)
		}
	}
	now := time.Now().UnixMilli()
	for _, id := range a.ended {
		if _, outcome, err := s.Sessions.Rotate(background, store.Rotation{SessionID: id, Now: now}); err != nil || outcome != store.SessionAbsent {
			t.Errorf("an ended session lives: %d, %v", outcome, err)
		}
	}
	for id, counter := range a.sessions { // one rotation more may have happened without its answer
		r := store.Rotation{SessionID: id, Counter: counter, Now: now, TTL: day, Grace: day}
		if _, outcome, err := s.Sessions.Rotate(background, r); err != nil || !a.ending[id] && outcome != store.SessionRotated && outcome != store.SessionUnchanged {
			t.Errorf("a session at %d is lost: %d, %v", counter, outcome, err)
		}
	}
	a.spent, a.ended, a.sessions, a.ending = nil, nil, map[string]uint64{}, map[string]bool{}
	page, err := readRevocations(background, s.Revocations, 0)
	if err != nil {
		t.Error(err)
	}
	for _, id := range a.revoked {
		if !slices.ContainsFunc(page.Items, func(r store.Revocation) bool { return r.JTI == id }) {
			t.Errorf("the revocation of %s is lost", id)
		}
	}
	a.revoked = nil
	a.checkMints(t, s.Mints)
}

func (a *answers) checkMints(t *testing.T, store audit.Store) {
	t.Helper()
	last := int64(0)
	for {
		rows, err := store.Walk(background, last, 1000)
		if err != nil {
			t.Error(err)
		}
		for _, row := range rows {
			if row.Seq != last+1 || a.minted[row.Seq] != "" && a.minted[row.Seq] != row.Mint.ID {
				t.Errorf("after %d comes %d of %s, not of %s", last, row.Seq, row.Mint.ID, a.minted[row.Seq])
			}
			last = row.Seq
		}
		if len(rows) == 0 {
			break
		}
	}
	for seq := range a.minted {
		if seq > last {
			t.Errorf("the mint %d is lost", seq)
		}
	}
}
