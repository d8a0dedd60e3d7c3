package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
)

func newConfig() *cobra.Command {
	group := &cobra.Command{
		Use: "config", Short: "Check, print and explain the configuration",
		Example: "  picoauth config check --config /etc/picoauth/application.yaml",
	}
	group.AddCommand(newConfigCheck(), newConfigPrint(), newConfigDocs())
	return group
}

func configFlag(c *cobra.Command) *string {
	return c.Flags().StringP("config", "c", "", "YAML configuration `file` (default: application.yaml, if it is there)")
}

// serverConfig returns the sources of the configuration that serve reads.
func serverConfig(file string) config.Sources {
	switch file {
	case "":
		file = config.ConventionalFile
	case config.ConventionalFile:
		file = "./" + file // an explicit path, so that the file must exist
	}
	sources := config.Sources{Defaults: []map[string]any{serverDefaults()}, Files: []string{file}, Environ: os.Environ()}
	addServerSections(&sources)
	return sources
}

func addServerSections(sources *config.Sources) {
	config.AddSettings(sources, app.SectionName, app.DefaultSettings())
	auth := new(serverauth.ServerAuthSettings)
	config.AddSettings(sources, serverauth.SettingsSection, programSettings{serverauth.DefaultServerAuthSettings(), auth})
	config.AddSettings(sources, oauth.SettingsSection, oauthSettings{oauth.DefaultSettings(), auth})
}

// programSettings are the settings of serverauth. Only the program can check some of them: the supported algorithms and
// storages.
type programSettings struct {
	serverauth.ServerAuthSettings
	checked *serverauth.ServerAuthSettings // what Validate was called for
}

// oauthSettings are the settings of oauth, which are checked together with those of serverauth.
type oauthSettings struct {
	oauth.Settings
	auth *serverauth.ServerAuthSettings // the zero value if they could not be read
}

// Validate implements config.Validator.
func (s oauthSettings) Validate() error {
	if s.auth.Audience == "" {
		return s.Settings.Validate()
	}
	return errors.Join(s.Settings.Validate(), s.ValidateWith(*s.auth))
}

// Validate reports every value that this program does not support.
func (s programSettings) Validate() error {
	*s.checked = s.ServerAuthSettings
	all := []error{s.ValidateBuiltin()}
	for i, algorithm := range s.SupportedWalletAlgorithms {
		all = append(all, config.CheckOneOf(fmt.Sprintf("supported_wallet_algorithms[%d]", i), algorithm, walletAlgorithms()...))
	}
	schemes, backends := []string{"memory"}, make(map[string]backend)
	for _, one := range []backend{sqlite.New(), postgres.New(), redisstore.New()} {
		schemes = append(schemes, one.Schemes()...)
		for _, scheme := range one.Schemes() {
			backends[scheme] = one
		}
	}
	storages := map[string]string{
		"storage_url": s.Storage, "challenge_storage_url": s.ChallengeStorage, "session_storage_url": s.SessionStorage, "link_storage_url": s.LinkStorage,
		"revocation_storage_url": s.RevocationStorage, "mint_storage_url": s.MintStorage, "key_storage_url": s.KeyStorage,
	}
	for _, key := range slices.Sorted(maps.Keys(storages)) {
		scheme, _, found := strings.Cut(storages[key], ":")
		if found && !slices.Contains(schemes, scheme) {
			all = append(all, &config.Error{Key: key, Reason: fmt.Sprintf("no backend for %q URLs in this program; it has %s", scheme, strings.Join(schemes, ", "))})
		} else if own := backends[scheme]; own != nil {
			if err := own.CheckURL(storages[key]); err != nil {
				all = append(all, &config.Error{Key: key, Reason: err.Error()})
			}
		}
	}
	return errors.Join(all...)
}

// backend is a storage of this program.
type backend interface {
	Schemes() []string
	CheckURL(url string) error
}

func newConfigCheck() *cobra.Command {
	c := &cobra.Command{
		Use:     "check",
		Short:   "Report every fault of the configuration at once; exit 1 if there is one",
		Example: "  picoauth config check --config application.yaml && systemctl restart picoauth",
	}
	file := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		_, warnings, err := config.Describe(serverConfig(*file))
		faults := configFaults(err)
		noted := []string{}
		for _, warning := range warnings {
			noted = append(noted, warning.String())
		}
		result := map[string]any{"faults": faults, "warnings": noted}
		if err := show(c, result, func(w io.Writer) {
			for _, fault := range faults {
				fmt.Fprintln(w, printable(fault))
			}
			for _, warning := range noted {
				fmt.Fprintln(w, "warning:", printable(warning))
			}
			if len(faults) == 0 {
				fmt.Fprintln(w, "The configuration has no faults.")
			}
		}); err != nil {
			return err
		}
		if len(faults) > 0 {
			return errReported
		}
		return nil
	}
	return c
}

// faulty returns an error with the number of faults in a configuration.
func faulty(err error) error {
	return fmt.Errorf("the configuration has %d faults; list them with: picoauth config check", len(configFaults(err)))
}

// configFaults returns the faults of a configuration, one a line.
func configFaults(err error) []string {
	faults := []string{}
	if err == nil {
		return faults
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			faults = append(faults, line)
		}
	}
	return faults
}

func newConfigPrint() *cobra.Command {
	c := &cobra.Command{
		Use:     "print",
		Short:   "Print every setting with its effective value and where that came from, secrets hidden",
		Example: "  picoauth config print\n  picoauth config print --set-only --output json",
	}
	file := configFlag(c)
	setOnly := c.Flags().Bool("set-only", false, "leave out settings that have their default")
	c.RunE = func(c *cobra.Command, _ []string) error {
		values, _, err := config.Describe(serverConfig(*file))
		if err != nil {
			return faulty(err)
		}
		values = slices.DeleteFunc(values, func(v config.Value) bool { return *setOnly && v.Source == "" })
		return showTable(c, values, []string{"KEY", "VALUE", "SOURCE"}, func(v config.Value) []string {
			return []string{v.Key, v.Value, cmp.Or(v.Source, "default")}
		})
	}
	return c
}

func newConfigDocs() *cobra.Command {
	return &cobra.Command{
		Use:     "docs",
		Short:   "Print the table of all settings: key, environment variable, form and default",
		Example: "  picoauth config docs | grep ttl",
		RunE: func(c *cobra.Command, _ []string) error {
			sources := config.Sources{Defaults: []map[string]any{serverDefaults()}}
			addServerSections(&sources)
			values, _, err := config.Describe(sources)
			if err != nil {
				return err
			}
			return showTable(c, values, []string{"KEY", "ENVIRONMENT", "FORM", "DEFAULT"}, func(v config.Value) []string {
				return []string{v.Key, v.Variable, v.Form, v.Value}
			})
		},
	}
}
