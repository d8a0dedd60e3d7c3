package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/sqlstore"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
)

func newMigrate() *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Copy everything from SQLite to PostgreSQL, or back, and verify the copy",
		Long: "Copies sessions, denylist, audit, keys and all else to an empty storage, every row or none, compares both, and verifies the audit\n" +
			"of the copy. Nobody is signed out. Stop the server first. --from and --to are URLs, as storage_url takes them, or configuration\n" +
			"files; key_encryption_key is that of --config for URLs, and PostgreSQL needs one.",
		Example: "  picoauth migrate --from sqlite:picoauth-data/picoauth.db --to postgres://picoauth@db.example.com/picoauth\n" +
			"  picoauth migrate --from old.yaml --to new.yaml",
	}
	config := configFlag(c)
	from := c.Flags().String("from", "", "`URL` or configuration file (default: that of --config)")
	to := c.Flags().String("to", "", "`URL` or configuration file")
	_ = c.MarkFlagRequired("to")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx := c.Context()
		source, err := openDepot(ctx, *from, *config, true)
		if err != nil {
			return fmt.Errorf("--from: %w", err)
		}
		defer source.close()
		target, err := openDepot(ctx, *to, *config, false)
		if err != nil {
			return fmt.Errorf("--to: %w", err)
		}
		defer target.close()
		m, err := migrate(c, source, target)
		if err != nil {
			return err
		}
		return say(c, m, "Copied %s and %s, and verified the copy (%s in the audit).\nNext: set server_auth.storage_url to the copy, then picoauth serve\n",
			count(int(m.Rows), "row"), count(m.Keys, "key"), count(int(m.Mints), "token"))
	}
	return c
}

// depot is a storage with its store of keys.
type depot struct {
	*store.Stores
	keys keys.Store
}

var storageScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]+:`)

// openDepot opens the storage of a URL or of a configuration. If exists, it does not create a missing SQLite database.
func openDepot(ctx context.Context, name, config string, exists bool) (d depot, err error) {
	isURL := storageScheme.MatchString(name)
	if name != "" && !isURL {
		config = name
	}
	s, err := settingsOf(config)
	if err != nil {
		return d, err
	}
	if isURL {
		s.Storage, s.DataDir, s.KeyDir = name, "", ""
	}
	if scheme, _, _ := strings.Cut(s.StorageURL(), ":"); !slices.Contains([]string{"sqlite", "postgres", "postgresql"}, scheme) {
		return d, fmt.Errorf("a %s: storage cannot be copied; only SQLite and PostgreSQL can", scheme)
	}
	if s.ChallengeStorage+s.SessionStorage+s.RevocationStorage+s.MintStorage+s.KeyStorage+s.LinkStorage != "" {
		return d, errors.New("this command is for a server that keeps everything in one storage; copy each storage by its URL")
	}
	c := store.BackendConfig{URL: s.StorageURL(), AccessTokenTTL: s.AccessTokenTTL(), ClockSkew: s.ClockSkew(), Clock: time.Now, Log: slog.New(slog.DiscardHandler)}
	if s.KeyEncryptionKey != "" {
		if c.EncryptionKey, err = keys.ParseEncryptionKey(s.KeyEncryptionKey); err != nil {
			return d, err
		}
	}
	return openStores(ctx, s, c, exists)
}

func openStores(ctx context.Context, s serverauth.ServerAuthSettings, c store.BackendConfig, exists bool) (d depot, err error) {
	backend := store.Backend(postgres.New())
	if at, notFile := placeOf(s); notFile == nil {
		backend = sqlite.New()
		if _, err := at.size(); exists && err != nil {
			return d, err
		}
	}
	if d.Stores, err = backend.Open(ctx, c); err != nil {
		return d, err
	}
	d.keys = d.Keys
	if folder := s.KeyFolder(); folder != "" {
		d.keys, err = keys.OpenFileStore(ctx, folder, c.EncryptionKey, c.Log)
	}
	if err != nil {
		d.close()
	}
	return d, err
}

func (d depot) close() { _ = d.Close() }

// migrated is the result of migrate.
type migrated struct {
	Rows  int64      `json:"rows"`
	Keys  int        `json:"keys"`
	Mints int64      `json:"mints"`
	Head  audit.Head `json:"head"`
}

// migrate copies the keys last: a server does not use an incomplete copy, because that has no keys.
func migrate(c *cobra.Command, source, target depot) (m migrated, err error) {
	ctx := c.Context()
	records, err := source.keys.Load(ctx)
	if err != nil {
		return m, err
	}
	if len(records) == 0 {
		return m, errors.New("the storage has no keys: no server has used it")
	}
	if there, err := target.keys.Load(ctx); err != nil {
		return m, err
	} else if len(there) > 0 {
		return m, errors.New("the target storage has keys already; give an empty one")
	}
	var done, total atomic.Int64
	stop := progress(c, "copying", func() float64 { return float64(done.Load()) / float64(max(total.Load(), 1)) })
	m.Rows, err = sqlstore.Copy(ctx, source.Stores, target.Stores, func(d, t int64) { done.Store(d); total.Store(t) })
	if stop(); err != nil {
		return m, fmt.Errorf("%w; nothing was copied: stop the server, give an empty storage, and try again", err)
	}
	m.Keys = len(records)
	if err := target.keys.Update(ctx, func([]keys.Record) ([]keys.Record, error) { return records, nil }); err != nil {
		return m, err
	}
	head, err := source.Mints.Head(ctx)
	if err != nil {
		return m, err
	}
	report, err := auditOf(ctx, c, target.Mints, func() ([]byte, error) { return auditKey(records) }, []audit.Head{head})
	if err != nil {
		return m, fmt.Errorf("everything was copied, but the audit, which was copied as it is, does not verify: %w", err)
	}
	m.Mints, m.Head = report.Mints, report.Head
	return m, nil
}

func auditKey(records []keys.Record) ([]byte, error) {
	for _, r := range records {
		if r.ID == "secret."+auditSecret {
			return r.Private, nil
		}
	}
	return nil, errors.New("the MAC key of the audit is not among the keys")
}
