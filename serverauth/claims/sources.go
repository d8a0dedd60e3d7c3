package claims

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"

	"github.com/picoauth/picoauth/serverauth/store"
)

// sources calls several providers in order. A later one overrides an earlier one, field by field. If one refuses the subject, it is
// refused.
type sources []Provider

// Config are the sources of claims, each optional.
type Config struct {
	Section  string  // of the configuration, for errors
	Subjects []Entry // subjects
	File     string  // subjects_file
	URL      string  // claims_url
	Secret   string  // claims_secret
	// Known reports whether a text can be the address of a wallet that may sign in.
	Known func(address string) bool
	Log   *slog.Logger
}

// NewSources returns a provider that calls the configured sources, in the order of the fields of Config, and then the app's own
// provider.
func NewSources(c Config, own Provider) (Provider, error) {
	var all sources
	if len(c.Subjects) > 0 {
		entries, err := newTable(c.Section+".subjects", c.Subjects, c.Known)
		if err != nil {
			return nil, err
		}
		all = append(all, entries)
	}
	if c.File != "" {
		file, err := openFile(c.File, c.Known, c.Log)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Section, err)
		}
		all = append(all, file)
	}
	if c.URL != "" {
		remote, err := newRemote(c.URL, c.Secret)
		if err != nil {
			return nil, err
		}
		all = append(all, remote)
	}
	if len(all) == 0 {
		return own, nil
	}
	return append(all, own), nil
}

// Claims implements Provider.
func (s sources) Claims(ctx context.Context, subject store.Subject) (Claims, error) {
	var merged Claims
	for _, source := range s {
		claims, err := source.Claims(ctx, subject)
		if err != nil {
			return Claims{}, err
		}
		merged = merged.with(claims)
	}
	return merged, nil
}

// with returns c with the fields that later sets.
func (c Claims) with(later Claims) Claims {
	c.Role, c.Scope = cmp.Or(later.Role, c.Role), cmp.Or(later.Scope, c.Scope)
	c.Email, c.Name = cmp.Or(later.Email, c.Email), cmp.Or(later.Name, c.Name)
	if later.Groups != nil {
		c.Groups = later.Groups
	}
	if len(later.Extra) > 0 {
		extra := make(map[string]any, len(c.Extra)+len(later.Extra))
		maps.Copy(extra, c.Extra)
		maps.Copy(extra, later.Extra)
		c.Extra = extra
	}
	return c
}
