package sqlcore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The timeouts of the readiness check. Their sum is less than the two seconds that the check may take.
const (
	readyTimeout = 1400 * time.Millisecond
	blameTimeout = 400 * time.Millisecond
)

// probe tests one store: in each of its tables it writes, finds and removes a row, in one transaction, so that nobody else sees
// the row.
type probe struct {
	store  string
	script []Statement
}

// ready tests all stores in one transaction, and returns an error that names those that fail. The test writes more than any
// request, so that a disk with little room left does not pass it.
func (d *database) ready(ctx context.Context) error {
	probes := d.probes()
	err := bounded(ctx, readyTimeout, func(ctx context.Context) error { return d.try(ctx, probes...) })
	if err == nil {
		return bounded(ctx, blameTimeout, func(ctx context.Context) error { return d.engine.Read(ctx, ping()) })
	}
	if ctx.Err() != nil {
		return err
	}
	failures := make([]error, len(probes))
	var trying sync.WaitGroup
	for i := range probes {
		trying.Go(func() {
			cause := bounded(ctx, blameTimeout, func(ctx context.Context) error { return d.try(ctx, probes[i]) })
			if cause != nil {
				failures[i] = fmt.Errorf("%s: %w", probes[i].store, cause)
			}
		})
	}
	trying.Wait()
	if blamed := errors.Join(failures...); blamed != nil {
		return blamed
	}
	return err
}

func (d *database) try(ctx context.Context, probes ...*probe) error {
	var script []Statement
	for _, p := range probes {
		script = append(script, p.script...)
	}
	return d.engine.Run(ctx, script...)
}

// probes returns the probes of all stores in the database. No store, and no other probe, uses the keys of their rows.
func (d *database) probes() []*probe {
	var id [16]byte
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	bytes := append([]byte("ready "), id[:]...)
	name := "ready " + rand.Text()
	number := -1 - int64(binary.BigEndian.Uint64(id[:8])>>1)
	nothing := []byte{}
	challenges, sessions, revocations := &probe{store: "challenges"}, &probe{store: "sessions"}, &probe{store: "revocations"}
	mints, links, clients, keys := &probe{store: "mints"}, &probe{store: "links"}, &probe{store: "clients"}, &probe{store: "keys"}
	challenges.row("picoauth_challenge_spent", "id", "(id) VALUES ($1)", bytes)
	challenges.row("picoauth_secret", "name", "(name, record) VALUES ($1, $2)", name, nothing)
	sessions.row("picoauth_session", "id", "(id, counter, started_ms, rotated_ms, expires_ms, ends_ms) VALUES ($1, 0, 0, 0, 0, 0)", bytes)
	sessions.row("picoauth_session_cut_off", "id", "(id, at_ms) VALUES ($1, 0)", bytes)
	revocations.row("picoauth_revocation", "seq", "(seq, revoked_at, expires_at) VALUES ($1, 0, 0)", number)
	revocations.touch("picoauth_revocation_head", "seq = seq")
	mints.row("picoauth_mint", "seq", "(seq, mac, issued_at, expires_at, lost, pruned, seal) VALUES ($1, $2, 0, 0, 0, 0, $2)", number, nothing)
	mints.touch(schemaTable, "room = $1", id[:])
	links.row("picoauth_link", "id", "(id, linked_ms, left_ms) VALUES ($1, 0, 0)", bytes)
	clients.row("picoauth_client", "id", "(id, data, created_ms, mac) VALUES ($1, $2, 0, $2)", bytes, nothing)
	clients.row("picoauth_used", "id", "(id, until_ms) VALUES ($1, 0)", bytes)
	all := []*probe{challenges, sessions, revocations, mints, links, clients}
	if !d.withKeys {
		return all
	}
	keys.row("picoauth_key", "id", "(id, aside_ms, record) VALUES ($1, 0, $2)", name, nothing)
	keys.touch("picoauth_key_version", "version = version")
	return append(all, keys)
}

// row writes, finds and removes a row.
func (p *probe) row(table, column, values string, id any, others ...any) {
	where := ` FROM ` + table + ` WHERE ` + column + ` = $1`
	p.script = append(p.script,
		Statement{SQL: `INSERT INTO ` + table + ` ` + values, Args: append([]any{id}, others...)},
		Statement{SQL: `SELECT count(*)` + where, Args: []any{id}, Read: p.isOne},
		Statement{SQL: `DELETE` + where, Args: []any{id}},
	)
}

// touch changes the only row of a table.
func (p *probe) touch(table, change string, args ...any) {
	p.script = append(p.script,
		Statement{SQL: `UPDATE ` + table + ` SET ` + change, Args: args},
		Statement{SQL: `SELECT count(*) FROM ` + table, Read: p.isOne},
	)
}

// isOne reads the number of rows found.
func (p *probe) isOne(scan Scan) error {
	var found int64
	if err := scan(&found); err != nil {
		return err
	}
	if found != 1 {
		return fmt.Errorf("%s: a row that was just written cannot be read", p.store)
	}
	return nil
}

// ping is a statement that a working database answers at once.
func ping() Statement {
	return Statement{SQL: `SELECT version FROM picoauth_schema`, Read: func(scan Scan) error { return scan(new(int64)) }}
}
