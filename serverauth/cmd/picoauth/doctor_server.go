package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth"
)

// serverSettings are the settings in a server's configuration.
type serverSettings struct {
	app  app.Settings
	auth serverauth.ServerAuthSettings
}

// examineServer checks a configuration and the storage that it names. It returns nil if it cannot read the configuration.
func (e *examination) examineServer(ctx context.Context, file string) *serverSettings {
	var server *serverSettings
	e.check("configuration", func() {
		k, _, err := config.Load(serverConfig(file))
		for _, fault := range configFaults(err) {
			e.wrong("configuration", "correct this setting; picoauth config docs lists every setting", "%s", fault)
		}
		if err != nil {
			return
		}
		server = new(serverSettings) // config.Load has checked both sections
		server.app, _ = config.Section(k, app.SectionName, app.DefaultSettings())
		server.auth, _ = config.Section(k, serverauth.SettingsSection, serverauth.DefaultServerAuthSettings())
	})
	if server == nil {
		return nil
	}
	e.check("proxies", func() { e.examineProxies(server) })
	e.check("secrets", func() { e.examineSecrets(server.auth) })
	e.check("storage", func() { e.examineStorage(ctx, file, server.auth) })
	return server
}

func (e *examination) examineProxies(s *serverSettings) {
	if strings.HasPrefix(s.auth.Issuer, "https:") && len(s.app.TrustedProxies) == 0 {
		e.wrong("proxies", "list the proxy's addresses in app.trusted_proxies, and let it set X-Forwarded-For",
			"the issuer is https, so a proxy is in front of the server, but app.trusted_proxies is empty: all clients share one rate limit, and the log shows the proxy's address")
	}
	for _, text := range s.app.TrustedProxies {
		if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Bits() == 0 {
			e.wrong("proxies", "list only the addresses of your proxies in app.trusted_proxies",
				"app.trusted_proxies has %s: everybody can claim any address in X-Forwarded-For, and no rate limit holds", text)
		}
	}
}

func (e *examination) examineSecrets(s serverauth.ServerAuthSettings) {
	if isMemory(s.StorageURL()) {
		e.advise("secrets", "set server_auth.data_dir or server_auth.storage_url", "everything is kept in memory: a restart signs everybody out")
	} else if s.KeyEncryptionKey == "" {
		e.advise("secrets", "(umask 077; picoauth secret > key-encryption-key), and name the file in server_auth.key_encryption_key_file",
			"the signing keys are stored unencrypted: whoever reads the storage or a backup can sign tokens")
	}
	if s.AutoCreateAdmin && !strings.HasPrefix(s.AdminPassword, "$") {
		e.advise("secrets", "put what picoauth hash-password prints into server_auth.admin_password", "the administrator's password is in the configuration in plain text")
	}
}

func isMemory(storage string) bool { return strings.HasPrefix(storage, "memory:") }

// examineStorage opens the storage as a server does, and runs its readiness checks.
func (e *examination) examineStorage(ctx context.Context, config string, s serverauth.ServerAuthSettings) {
	const cure = "check that the storage of server_auth.storage_url (or of data_dir) runs, is reachable from here, and lets this user read and write"
	if file, isFile := strings.CutPrefix(s.StorageURL(), "sqlite:"); isFile {
		path, _, _ := strings.Cut(strings.TrimPrefix(file, "//"), "?")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			e.skip("storage: %s does not exist yet; the first start makes it", path)
			return
		}
	}
	var checks []app.ReadinessCheck
	opened := app.New(server(config), silent,
		fx.Invoke(func(p struct {
			fx.In
			Checks []app.ReadinessCheck `group:"readiness"`
		}) {
			checks = p.Checks
		}))
	if err := opened.Err(); err != nil {
		e.wrong("storage", cure, "the server could not start: %s", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	for _, check := range checks {
		if check.Name != "storage" && check.Name != "keys" { // other checks need a running server
			continue
		}
		if err := check.Check(ctx); err != nil {
			e.wrong("storage", cure, "%s: %s", check.Name, err)
		}
	}
}

// isLoopback reports whether the host of a URL is this machine.
func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// roughly returns a duration in whole seconds, without its sign.
func roughly(d time.Duration) string { return d.Abs().Round(time.Second).String() }
