package sqlcore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/picoauth/picoauth/serverauth/store"
)

// ErrNotEmpty is returned by Copy if the target already has rows.
var ErrNotEmpty = errors.New("the target database is not empty")

// ErrChanged is returned by Copy if both databases differ after copying.
var ErrChanged = errors.New("the database was changed while it was copied")

// copyBatch is the number of rows that one statement inserts.
const copyBatch = 200

// Tables that are not copied: the program creates the schema, and keys are copied by their store, because they may be files.
var notCopied = []string{schemaTable, "picoauth_key", "picoauth_key_version"}

// Tables that have rows even in a new database.
var neverEmpty = []string{"picoauth_revocation_head", "picoauth_secret"}

// Copy copies every row except those of keys from the stores of one database to those of another, which must be empty, in one
// transaction, and compares both afterwards. It calls progress with the number of copied rows and of all rows.
func Copy(ctx context.Context, from, to *store.Stores, progress func(done, total int64)) (rows int64, err error) {
	source, target := engineOf(from), engineOf(to)
	if source == nil || target == nil {
		return 0, errors.New("only the stores of SQL databases can be copied")
	}
	c := copying{source: source, progress: progress}
	if c.tables, err = tablesOf(ctx, source); err != nil {
		return 0, err
	}
	for _, t := range c.tables {
		n, err := t.count(ctx, reader{source})
		if err != nil {
			return 0, err
		}
		c.total += n
	}
	err = target.Exclusively(ctx, "copy", func(tx Tx) error { return c.run(ctx, tx) })
	return c.done, err
}

func engineOf(stores *store.Stores) Engine {
	if sessions, ok := stores.Sessions.(*sessionStore); ok {
		return sessions.db.engine
	}
	return nil
}

type copying struct {
	source      Engine
	tables      []table
	done, total int64
	progress    func(done, total int64)
}

func (c *copying) run(ctx context.Context, tx Tx) error {
	for _, t := range c.tables {
		if n, err := t.count(ctx, tx); err != nil {
			return err
		} else if n > 0 && !slices.Contains(neverEmpty, t.name) {
			return fmt.Errorf("%w: %s", ErrNotEmpty, t.name)
		}
		if err := tx.Do(ctx, Statement{SQL: `DELETE FROM ` + t.name}); err != nil {
			return err
		}
		if err := c.table(ctx, tx, t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	for _, t := range c.tables {
		before, err := t.sum(ctx, reader{c.source})
		if err != nil {
			return err
		}
		after, err := t.sum(ctx, tx)
		if err != nil {
			return err
		}
		if before != after {
			return fmt.Errorf("%w: %s", ErrChanged, t.name)
		}
	}
	return nil
}

func (c *copying) table(ctx context.Context, tx Tx, t table) error {
	var batch []any
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := tx.Do(ctx, t.insert(batch))
		c.done += int64(len(batch) / len(t.columns))
		c.progress(c.done, c.total)
		batch = nil
		return err
	}
	err := t.each(ctx, reader{c.source}, func(row []any) error {
		if batch = append(batch, row...); len(batch) < copyBatch*len(t.columns) {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// table is a table as the catalogue describes it.
type table struct {
	name    string
	columns []string
}

// tablesOf returns the tables that are copied.
func tablesOf(ctx context.Context, engine Engine) (all []table, err error) {
	columns := engine.Columns()
	columns.Read = func(scan Scan) error {
		var name, column string
		if err := scan(&name, &column); err != nil || slices.Contains(notCopied, name) {
			return err
		}
		if len(all) == 0 || all[len(all)-1].name != name {
			all = append(all, table{name: name})
		}
		last := &all[len(all)-1]
		last.columns = append(last.columns, column)
		return nil
	}
	return all, engine.Read(ctx, columns)
}

func (t table) count(ctx context.Context, tx Tx) (n int64, err error) {
	err = tx.Do(ctx, Statement{SQL: `SELECT count(*) FROM ` + t.name, Read: func(scan Scan) error { return scan(&n) }})
	return n, err
}

func (t table) names() string { return strings.Join(t.columns, ", ") }

// each calls a function with the values of every row: []byte, string, int64 or nil.
func (t table) each(ctx context.Context, tx Tx, do func(row []any) error) error {
	return tx.Do(ctx, Statement{SQL: `SELECT ` + t.names() + ` FROM ` + t.name, Read: func(scan Scan) error {
		row, into := make([]any, len(t.columns)), make([]any, len(t.columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := scan(into...); err != nil {
			return err
		}
		for i, value := range row {
			if blob, ok := value.([]byte); ok {
				row[i] = append([]byte{}, blob...) // an empty one is not NULL
			}
		}
		return do(row)
	}})
}

// insert adds rows. values has the values of all rows in sequence.
func (t table) insert(values []any) Statement {
	rows := make([]string, len(values)/len(t.columns))
	for i := range rows {
		rows[i] = `(` + parameters(1+i*len(t.columns), len(t.columns)) + `)`
	}
	return Statement{SQL: `INSERT INTO ` + t.name + ` (` + t.names() + `) VALUES ` + strings.Join(rows, ", "), Args: values}
}

// sum is a checksum that is equal for tables with the same rows, in any order.
func (t table) sum(ctx context.Context, tx Tx) (sum [2]uint64, err error) {
	err = t.each(ctx, tx, func(row []any) error {
		digest := sha256.Sum256(encodeRow(row))
		sum[0] += binary.BigEndian.Uint64(digest[:8])
		sum[1] += binary.BigEndian.Uint64(digest[8:16])
		return nil
	})
	return sum, err
}

func encodeRow(row []any) (b []byte) {
	for _, value := range row {
		switch v := value.(type) {
		case []byte:
			b = append(binary.AppendUvarint(append(b, 'b'), uint64(len(v))), v...)
		case string:
			b = append(binary.AppendUvarint(append(b, 't'), uint64(len(v))), v...)
		case int64:
			b = binary.AppendVarint(append(b, 'i'), v)
		default: // NULL
			b = fmt.Append(append(b, '-'), v)
		}
	}
	return b
}
