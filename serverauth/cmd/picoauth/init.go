package main

import (
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/signin"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

//go:embed application.yaml.tmpl
var configurationText string

var configurationTemplate = template.Must(template.New("application.yaml").Funcs(template.FuncMap{"quote": yamlQuote}).Parse(configurationText))

// yamlQuote returns a text as a YAML scalar in single quotes, in which only the quote itself is special.
func yamlQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// start is the data for the configuration that init writes.
type start struct {
	Issuer   string
	DataDir  string
	KeyFile  string
	Email    string
	Hash     string // of the administrator's password; empty: no administrator
	Operator string // address of a wallet; empty: no operator
}

// HasProxy reports whether a proxy terminates TLS: the server then listens on this machine only.
func (s start) HasProxy() bool { return strings.HasPrefix(s.Issuer, "https://") }

func newInit() *cobra.Command {
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a configuration, a key encryption key and an administrator",
		Long: "Writes application.yaml with comments, and the key that encrypts the signing keys in a file of its own. Only this user can read them.\n" +
			"The administrator's password is asked for, or read from standard input; the file holds its hash. With --operator a wallet is the\n" +
			"operator, and there is no password. A file that exists is never changed.",
		Example: "  picoauth init\n  picoauth secret | tee password | picoauth init --dir /etc/picoauth --issuer https://auth.example.com\n" +
			"  picoauth init --operator 0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
	}
	dir := c.Flags().String("dir", ".", "`folder` for the files; it is made if it does not exist")
	issuer := c.Flags().String("issuer", "http://localhost:8100", "`URL` that clients reach the server by")
	email := c.Flags().String("email", "admin@pico.local", "`e-mail` of the administrator")
	operator := c.Flags().String("operator", "", "`address` of a wallet that is an operator, in place of the administrator")
	c.RunE = func(c *cobra.Command, _ []string) error {
		folder, err := filepath.Abs(*dir)
		if err != nil {
			return err
		}
		s := start{
			Issuer: *issuer, DataDir: filepath.Join(folder, "picoauth-data"), KeyFile: filepath.Join(folder, "key-encryption-key"),
			Email: *email, Operator: *operator,
		}
		configuration := filepath.Join(folder, config.ConventionalFile)
		for _, path := range []string{configuration, s.KeyFile} {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s exists already; look at it with: picoauth config print --config %s", path, configuration)
			}
		}
		if s.Operator != "" && !isAddress(s.Operator) {
			return fmt.Errorf("--operator %s is not the address of a wallet; print one with: picoauth wallet address --key FILE", shortened(printable(s.Operator)))
		}
		if s.Operator == "" {
			if s.Hash, err = newAdministrator(c, s.Email); err != nil {
				return err
			}
		}
		if err := s.write(configuration); err != nil {
			return err
		}
		result := map[string]string{"config": configuration, "key_encryption_key": s.KeyFile, "data_dir": s.DataDir}
		return show(c, result, func(w io.Writer) { s.sayWhatIsNext(w, configuration) })
	}
	return c
}

// isAddress reports whether a text is an address of Ethereum or Solana, a key as hex, or the thumbprint of a key.
func isAddress(text string) bool {
	address, err := wallet.ParseAddress(text, "")
	if err != nil {
		return false
	}
	key, err := hex.DecodeString(strings.TrimPrefix(address.String(), "0x"))
	return address.Kind() != wallet.Raw || err == nil && len(key) >= signin.SeedSize || dpop.IsThumbprint(text)
}

func newAdministrator(c *cobra.Command, email string) (hash string, err error) {
	password, err := readPassword(c, "Password of "+email, true)
	if err != nil {
		return "", err
	}
	if hash, err = hashPassword(password); err != nil {
		return "", fmt.Errorf("%w; or name a wallet as the operator: picoauth init --operator ADDRESS", err)
	}
	return hash, nil
}

// write makes both files; after an error it removes them.
func (s start) write(configuration string) (err error) {
	if err := os.MkdirAll(filepath.Dir(configuration), 0o700); err != nil {
		return err
	}
	var made []string
	defer func() {
		if err != nil {
			for _, path := range made {
				_ = os.Remove(path)
			}
		}
	}()
	var text strings.Builder
	if err := configurationTemplate.Execute(&text, s); err != nil {
		return err
	}
	for _, file := range []struct{ path, text string }{{s.KeyFile, randomSecret() + "\n"}, {configuration, text.String()}} {
		if err := writeNew(file.path, strings.NewReader(file.text)); err != nil {
			return err
		}
		made = append(made, file.path)
	}
	sources := config.Sources{Files: []string{configuration}}
	addServerSections(&sources)
	if _, _, err := config.Load(sources); err != nil {
		return fmt.Errorf("nothing was written, because the server would refuse this configuration: %w", err)
	}
	return nil
}

// writeNew writes a file with mode 0600. If the file exists, writeNew does not change it and returns an error.
func writeNew(path string, content io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		_ = os.Remove(path)
	}
	return err
}

func (s start) sayWhatIsNext(w io.Writer, configuration string) {
	flag := " --config " + configuration
	if here, err := os.Getwd(); err == nil && filepath.Dir(configuration) == here {
		flag = ""
	}
	proxy := ""
	if s.HasProxy() {
		proxy = fmt.Sprintf("  caddy reverse-proxy --from %s --to 127.0.0.1:8100   # or another proxy on this machine that does TLS\n", strings.TrimPrefix(s.Issuer, "https://"))
	}
	login := fmt.Sprintf("picoauth login --url %s --email %s", s.Issuer, s.Email)
	if s.Operator != "" {
		login = fmt.Sprintf("picoauth login --url %s --wallet FILE   # the key file of %s", s.Issuer, shortened(s.Operator))
	}
	fmt.Fprintf(w, `Made %s
 and %s
     Keep a copy of this key elsewhere: without it a backup of the data cannot be read.

Next:
  picoauth serve%s
%s  %s
  picoauth sessions list
  picoauth doctor --issuer %s%s
`, configuration, s.KeyFile, flag, proxy, login, s.Issuer, flag)
}
