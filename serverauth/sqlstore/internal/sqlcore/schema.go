package sqlcore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// schemaTable has one row: the version of the schema, and what the readiness check writes.
const schemaTable = "picoauth_schema"

// migrations returns the scripts that lead from each version to the next; the first one begins with an empty database.
func migrations() ([]string, error) {
	names, err := fs.Glob(schemaFiles, "schema/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	scripts := make([]string, 0, len(names))
	for _, name := range names {
		script, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, string(script))
	}
	return scripts, nil
}

// migrate updates the schema to the newest version. Several processes may do so at the same time. A schema of a later program
// version is an error.
func migrate(ctx context.Context, engine Engine, now time.Time) error {
	scripts, err := migrations()
	if err != nil {
		return err
	}
	m := migration{engine: engine, scripts: scripts, now: now}
	version, err := m.version(ctx, reader{engine})
	if err != nil || version == len(scripts) {
		return err // so a user without the right to create tables can start if the schema is up to date
	}
	return engine.Exclusively(ctx, "schema", func(tx Tx) error { return m.run(ctx, tx) })
}

type migration struct {
	engine  Engine
	scripts []string
	now     time.Time
}

// version returns the version of the schema, 0 for an empty database.
func (m migration) version(ctx context.Context, tx Tx) (version int, err error) {
	var tables, found int64
	has := m.engine.HasTable(schemaTable)
	has.Read = func(scan Scan) error { return scan(&tables) }
	if err := tx.Do(ctx, has); err != nil || tables == 0 {
		return 0, err
	}
	err = tx.Do(ctx, Statement{SQL: `SELECT version FROM ` + schemaTable, Read: func(scan Scan) error { return scan(&found) }})
	if newest := int64(len(m.scripts)); err == nil && found > newest {
		return 0, fmt.Errorf("the database has schema version %d, but this program supports only versions up to %d: "+
			"a later version of the program has used it", found, newest)
	}
	return int(found), err
}

func (m migration) run(ctx context.Context, tx Tx) error {
	version, err := m.version(ctx, tx)
	if err != nil {
		return err
	}
	if version == 0 {
		err := m.do(ctx, tx, "CREATE TABLE "+schemaTable+" (version BIGINT NOT NULL, room BYTEA);\n"+
			"INSERT INTO "+schemaTable+" (version) VALUES (0);")
		if err != nil {
			return err
		}
	}
	for ; version < len(m.scripts); version++ {
		if err := m.do(ctx, tx, m.scripts[version]); err != nil {
			return fmt.Errorf("schema version %d: %w", version+1, err)
		}
	}
	return tx.Do(ctx, Statement{SQL: `UPDATE ` + schemaTable + ` SET version = $1`, Args: []any{int64(version)}})
}

// do runs a script. Each statement ends with a semicolon at the end of a line.
func (m migration) do(ctx context.Context, tx Tx, script string) error {
	script = strings.ReplaceAll(script, "{now}", strconv.FormatInt(m.now.UnixMilli(), 10))
	for statement := range strings.SplitSeq(m.engine.Dialect().Replace(script), ";\n") {
		if statement = strings.TrimSuffix(strings.TrimSpace(statement), ";"); statement == "" {
			continue
		}
		if err := tx.Do(ctx, Statement{SQL: statement}); err != nil {
			return err
		}
	}
	return nil
}

// reader is a Tx that only reads. Each statement is a transaction of its own.
type reader struct{ engine Engine }

func (r reader) Do(ctx context.Context, s Statement) error { return r.engine.Read(ctx, s) }
