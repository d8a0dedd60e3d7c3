package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/revocation"
)

// Values of --end.
const (
	endNone     = "none"
	endSessions = "sessions"
	endAll      = "all"
)

// refreshSecretFile has the secret that signs refresh tokens. Without it every session ends.
const refreshSecretFile = "secret.refresh-token.json"

func newRestore() *cobra.Command {
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a backup, and end sessions and tokens that must not come back",
		Long: "Move the existing data away first. A backup does not know what happened after it: what was revoked since then would be valid again,\n" +
			"and a user who has refreshed since then would look like a thief. --end says what to end for this reason; without it you are asked:\n" +
			"  none      nothing; for a copy that nobody uses\n" +
			"  sessions  every session, and every access token that was issued until now; everybody signs in again\n" +
			"  all       the spare signing keys too; for a backup that others may have read",
		Example: "  mv picoauth-data picoauth-data.old\n  picoauth restore /backups/picoauth-2026-11-28.tar --end sessions",
		Args:    cobra.ExactArgs(1),
	}
	config := configFlag(c)
	end := c.Flags().String("end", "", "what to end: none, sessions or all")
	_ = c.RegisterFlagCompletionFunc("end", cobra.FixedCompletions([]string{endNone, endSessions, endAll}, cobra.ShellCompDirectiveNoFileComp))
	c.RunE = func(c *cobra.Command, arguments []string) error {
		if err := chooseEnd(c, end); err != nil {
			return err
		}
		to, err := placeIn(*config)
		if err != nil {
			return err
		}
		if err := to.restore(arguments[0], *end != endNone); err != nil {
			return err
		}
		var removed []string
		if *end != endNone {
			defer progress(c, "ending sessions and tokens", func() float64 { return -1 })()
			if removed, err = endKeys(c.Context(), *config, *end == endAll); err != nil {
				return fmt.Errorf("the data was restored, but sessions and keys were not ended: %w; move %s away and try again", err, filepath.Dir(to.database))
			}
		}
		result := map[string]any{"database": to.database, "keys": to.keys, "ended": *end, "removed_keys": append([]string{}, removed...)}
		return say(c, result, "Restored %s. Ended: %s; removed %s. Next: picoauth serve\n", to.database, *end, count(len(removed), "signing key"))
	}
	return c
}

// chooseEnd asks what to end, if --end is not set. It reads the first line of standard input.
func chooseEnd(c *cobra.Command, end *string) (err error) {
	if !c.Flags().Changed("end") {
		if _, person := terminalOf(c.InOrStdin()); person {
			fmt.Fprint(c.ErrOrStderr(), "What must end: none, sessions (every session, and the access tokens issued until now) or all (the signing keys too)? ")
		}
		if *end, err = readLine(c.InOrStdin()); err != nil {
			return err
		}
		*end = strings.ToLower(strings.TrimSpace(*end))
	}
	switch *end {
	case endNone, endSessions, endAll:
		return nil
	case "":
		return usageError{errors.New("it is not clear what to end; add --end none, --end sessions or --end all")}
	default:
		return usageError{fmt.Errorf("--end %q is not none, sessions or all", *end)}
	}
}

// restore unpacks an archive to a place without data. If endSessions, it leaves out the secret of refresh tokens.
func (p place) restore(path string, endSessions bool) (err error) {
	for _, there := range []string{p.database, p.database + "-wal", p.keys} {
		if entries, dirErr := os.ReadDir(there); dirErr == nil && len(entries) == 0 {
			continue
		}
		if _, err := os.Lstat(there); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists; stop the server, move %s away, and try again", there, filepath.Dir(p.database))
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	var made []string
	defer func() {
		if err != nil {
			for _, name := range made {
				_ = os.Remove(name)
			}
		}
	}()
	for _, folder := range []string{filepath.Dir(p.database), p.keys} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	database := false
	for archive := tar.NewReader(file); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s is not an archive of picoauth backup: %w", path, err)
		}
		target := p.target(header)
		if target == "" {
			return fmt.Errorf("%s is not an archive of picoauth backup: it has %q", path, header.Name)
		}
		if endSessions && filepath.Base(target) == refreshSecretFile {
			continue
		}
		database = database || target == p.database
		made = append(made, target)
		if err := writeNew(target, archive); err != nil {
			return err
		}
	}
	if !database {
		return fmt.Errorf("%s is not an archive of picoauth backup: it has no database", path)
	}
	return nil
}

// target returns the path for an entry, or empty if the entry does not belong in an archive.
func (p place) target(header *tar.Header) string {
	name, isKey := strings.CutPrefix(header.Name, keysEntry)
	switch {
	case header.Typeflag != tar.TypeReg:
		return ""
	case header.Name == databaseEntry:
		return p.database
	case isKey && keyFileName.MatchString(name):
		return filepath.Join(p.keys, name)
	default:
		return ""
	}
}

// endKeys removes the signing keys that may have signed, or all, so that every access token issued until now is refused. It
// returns the IDs of the removed keys.
func endKeys(ctx context.Context, config string, all bool) (removed []string, err error) {
	err = runOffline(ctx, config, func(ctx context.Context, o offline) error {
		for _, key := range o.ring.List() {
			if key.State == keys.StateRemoved || key.State == keys.StatePending && !all {
				continue
			}
			if err := o.compromise(ctx, key.ID, revocation.Cause{By: "picoauth restore", Reason: "restored from a backup"}); err != nil {
				return err
			}
			removed = append(removed, key.ID)
		}
		return nil
	})
	return removed, err
}
