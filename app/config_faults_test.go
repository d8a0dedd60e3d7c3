package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/knadh/koanf/v2"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
)

type shopSettings struct {
	Name     string   `koanf:"name"`
	Password string   `koanf:"password"`
	Seconds  int      `koanf:"ttl_seconds"`
	Roles    []string `koanf:"roles"`
	KeyFile  string   `koanf:"key_file"`
	Key      string   `koanf:"key"`
	TLS      struct {
		Cert string `koanf:"cert"`
	} `koanf:"tls"`
}

func (s shopSettings) Validate() error { return config.CheckTexts("", s, "key") }

// shop builds an app with the section shop, and returns its settings and what New says.
func shop(options ...fx.Option) (shopSettings, error) {
	var settings shopSettings
	application := app.New(
		app.RegisterSettings("shop", shopSettings{}),
		fx.Provide(func(k *koanf.Koanf) (shopSettings, error) { return config.Section(k, "shop", shopSettings{}) }),
		fx.Populate(&settings), fx.Options(options...))
	return settings, application.Err()
}

func TestAllFaultsAtOnceEachWithItsPlace(t *testing.T) {
	path := writeFile(t, "shop:\n  nam: x\n  ttl_seconds: soon\n  roles:\n    - ok\n    - ' padded'\napp:\n  port: 99999\nother: {}\n")
	t.Setenv("SHOP__PASSWORD", "\"quoted secret\"")
	t.Setenv("APP__IDLE_TIMEOUT_SECONDS", "0")
	_, err := shop(app.ConfigFile(path), app.ConfigMap(map[string]any{"app.log_level": "loud", "shop.tls.crt": "x"}))
	want := []string{
		`other: unknown section "other" (known: app, shop) (` + path + `:9)`,
		`shop.nam: unknown key; did you mean "name"? (` + path + `:2)`,
		`shop.tls.crt: unknown key; did you mean "cert"? (ConfigMap)`,
		`shop.ttl_seconds: must be a whole number of seconds, not "soon" (` + path + `:3)`,
		`shop.password: has quotes around it (environment variable SHOP__PASSWORD)`,
		`shop.roles[1]: has white space around it: " padded" (` + path + `:6)`,
		`app.port: 99999 is not within 0 to 65535 (` + path + `:8)`,
		`app.idle_timeout_seconds: 0 is not within 1 to 86400 seconds (environment variable APP__IDLE_TIMEOUT_SECONDS)`,
		`app.log_level: "loud" is not one of debug, info, warn, error (ConfigMap)`,
	}
	if got := text(err); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// The line is that of the value which won.
func TestTheSourceOfALaterValueIsNamed(t *testing.T) {
	first := writeFile(t, "app:\n  port: 1\n  cors_origins: [a, b]\n")
	second := writeFile(t, "\napp.port: 70000\n")
	t.Setenv("APP__CORS_ORIGINS", "https://a.example, b")
	err := app.New(app.ConfigFile(first), app.ConfigFile(second)).Err()
	want := "app.port: 70000 is not within 0 to 65535 (" + second + ":2)\n" +
		`app.cors_origins[1]: must be scheme://host[:port] in lowercase, or "*", not "b" (environment variable APP__CORS_ORIGINS)`
	if text(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// What Validate says may come of the file that is missing; what is wrong by itself is said all the same.
func TestAFileThatIsMissingHidesNoOtherFault(t *testing.T) {
	t.Setenv("SHOP__TTL_SECONDS", "soon")
	t.Setenv("SHOP__NAME", " x")
	_, err := shop(app.ConfigFile("missing.yaml"))
	want := "config file \"missing.yaml\": no such file or directory\n" +
		"shop.ttl_seconds: must be a whole number of seconds, not \"soon\" (environment variable SHOP__TTL_SECONDS)"
	if text(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestFilesThatHoldAValue(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Run("taken", func(t *testing.T) {
		t.Setenv("SHOP__PASSWORD_FILE", write("password", "pa${ss\n"))
		t.Setenv("SHOP__NAME_FILE", write("name", "shop\r\n"))
		t.Setenv("SHOP__TLS__CERT_FILE", write("cert", "cert"))
		t.Setenv("SHOP__KEY_FILE", "a key of its own")
		t.Setenv("SHOP__TTL_SECONDS_FILE", write("ttl", "30\n"))
		got, err := shop()
		if err != nil || got.Password != "pa${ss" || got.Name != "shop" || got.TLS.Cert != "cert" || got.KeyFile != "a key of its own" || got.Seconds != 30 {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	for name, test := range map[string]struct {
		environ map[string]string
		want    string // after the key; the file's own path stands for PATH
	}{
		"only one line break is left out": {map[string]string{"SHOP__PASSWORD_FILE": write("two", "secret\n\n")},
			`shop.password: has a line break or another control character (environment variable SHOP__PASSWORD_FILE, file "PATH")`},
		"missing": {map[string]string{"SHOP__PASSWORD_FILE": filepath.Join(dir, "none")},
			`shop.password: cannot be read: no such file or directory (environment variable SHOP__PASSWORD_FILE, file "PATH")`},
		"a folder": {map[string]string{"SHOP__PASSWORD_FILE": dir},
			`shop.password: cannot be read: is a directory (environment variable SHOP__PASSWORD_FILE, file "PATH")`},
		"too large": {map[string]string{"SHOP__PASSWORD_FILE": write("large", strings.Repeat("x", 64<<10+1))},
			`shop.password: cannot be read: the file has more than 65536 bytes (environment variable SHOP__PASSWORD_FILE, file "PATH")`},
		"beside the value": {map[string]string{"SHOP__PASSWORD_FILE": write("ok", "x"), "SHOP__PASSWORD": ""},
			`shop.password: is given twice, with and without _FILE (environment variable SHOP__PASSWORD_FILE, file "PATH")`},
		"of an unknown key": {map[string]string{"SHOP__PASWORD_FILE": write("ok", "x")},
			`shop.pasword_file: unknown key (environment variable SHOP__PASWORD_FILE)`},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.environ {
				t.Setenv(variable, value)
			}
			_, err := shop()
			want := strings.ReplaceAll(test.want, "PATH", test.environ["SHOP__PASSWORD_FILE"])
			if text(err) != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
		})
	}
}

func TestPlaceholders(t *testing.T) {
	t.Setenv("SHOPNAME", "from the environment")
	t.Setenv("SHOP_EMPTY", "")
	t.Setenv("SHOP_NESTED", "${ENV:SHOPNAME}")
	for name, test := range map[string]struct{ value, want, fault string }{
		"set":                       {"${ENV:SHOPNAME}", "from the environment", ""},
		"inside text":               {"a ${ENV:SHOPNAME} b", "a from the environment b", ""},
		"two":                       {"${ENV:SHOPNAME}${ENV:SHOPNAME}", "from the environmentfrom the environment", ""},
		"set and empty":             {"${ENV:SHOP_EMPTY:default}", "", ""},
		"default":                   {"${ENV:SHOP_UNSET:postgres://u@h:5432/d}", "postgres://u@h:5432/d", ""},
		"empty default":             {"${ENV:SHOP_UNSET:}", "", ""},
		"not looked at again":       {"${ENV:SHOP_NESTED}", "${ENV:SHOPNAME}", ""},
		"a dollar and a brace":      {"$ {x} $x }", "$ {x} $x }", ""},
		"not set":                   {"${ENV:SHOP_UNSET}", "", "the environment variable of ${ENV:SHOP_UNSET} is not set"},
		"another kind":              {"${SHOP_NAME}", "", "holds a ${ that is not ${ENV:NAME} or ${ENV:NAME:default}"},
		"lowercase":                 {"${env:SHOP_NAME}", "", "holds a ${ that is not ${ENV:NAME} or ${ENV:NAME:default}"},
		"without a name":            {"${ENV:}", "", "holds a ${ that is not ${ENV:NAME} or ${ENV:NAME:default}"},
		"a name with a blank":       {"${ENV:SHOP NAME}", "", "holds a ${ that is not ${ENV:NAME} or ${ENV:NAME:default}"},
		"not closed":                {"${ENV:SHOPNAME", "", "holds a ${ that is not ${ENV:NAME} or ${ENV:NAME:default}"},
		"in the default of another": {"${ENV:SHOP_UNSET:${ENV:SHOPNAME}}", "", "holds a ${ that is not ${ENV:NAME} or ${ENV:NAME:default}"},
		"empty":                     {"${}", "", "holds a ${ that is not ${ENV:NAME} or ${ENV:NAME:default}"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := shop(app.ConfigMap(map[string]any{"shop.key": test.value}))
			if test.fault != "" {
				test.fault = "shop.key: " + test.fault + " (ConfigMap)"
			}
			if text(err) != test.fault || got.Key != test.want {
				t.Errorf("got %q, %v, want %q, %s", got.Key, err, test.want, test.fault)
			}
		})
	}
}

func TestPlaceholdersInEverySource(t *testing.T) {
	t.Setenv("SHOPNAME", "here")
	t.Setenv("SHOP__NAME", "${ENV:SHOPNAME}")
	path := writeFile(t, "shop:\n  roles: ['${ENV:SHOPNAME}', b]\n  password: ${ENV:SHOP_UNSET}\n")
	defaults := map[string]any{"shop.tls": map[string]any{"cert": "${ENV:SHOPNAME}"}, "shop.roles": []string{"${ENV:SHOP_UNSET}"}}
	got, err := shop(app.ConfigDefaults(defaults), app.ConfigFile(path), app.ConfigMap(map[string]any{"shop.password": "overridden"}))
	if err != nil || got.Name != "here" || got.Roles[0] != "here" || got.TLS.Cert != "here" || got.Password != "overridden" {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = shop(app.ConfigFile(path))
	if want := "shop.password: the environment variable of ${ENV:SHOP_UNSET} is not set (" + path + ":3)"; text(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWhatHasNoEffectIsWarnedOf(t *testing.T) {
	p := launch(t, "sections", "AUTH_CLIENT__ISSUER=x", "APP_LOG_LEVEL=debug", "APP_PORT=tcp://10.0.0.1:80", "APP_HOST=127.0.0.1", "APP__HOST=${ENV:APP_HOST}")
	for _, want := range []struct{ message, name, source string }{
		{"a section of the configuration has no effect: this program does not contain its module", "server_auth", "ConfigMap"},
		{"an environment variable has no effect: this program does not contain the module of its section", "auth_client", "environment variable AUTH_CLIENT__ISSUER"},
		{"an environment variable has no effect: section and key are joined by two underscores", "APP__LOG_LEVEL", "environment variable APP_LOG_LEVEL"},
	} {
		if line := p.await(want.message); line["name"] != want.name || line["source"] != want.source || line["level"] != "WARN" {
			t.Errorf("got %v", line)
		}
	}
	_ = p.command.Process.Kill()
	if _, stdout, _ := p.exit(); strings.Contains(stdout, "APP_PORT") || strings.Contains(stdout, "APP_HOST") {
		t.Errorf("warns of what Kubernetes sets, or of what is used: %s", stdout)
	}
}

func TestKeysOfThePythonServerAreNamed(t *testing.T) {
	type auth struct {
		Issuer string `koanf:"issuer"`
	}
	for values, want := range map[*map[string]any]string{
		{"server_auth.revocation_store_path": "x"}:    "server_auth.revocation_store_path: unknown key; set server_auth.storage_url or server_auth.revocation_storage_url to store revocations (ConfigMap)",
		{"server_auth.mint_audit_path": "x"}:          "server_auth.mint_audit_path: unknown key; set server_auth.storage_url or server_auth.mint_storage_url to store the mint audit (ConfigMap)",
		{"server_auth.mint_audit_max_in_memory": 500}: "server_auth.mint_audit_max_in_memory: unknown key; remove this key; server_auth.mint_storage_url says where the mint audit is stored (ConfigMap)",
		{"auth.issuer": "x"}:                          `auth: unknown section "auth"; the auth server's section is server_auth (known: app, server_auth) (ConfigMap)`,
		{"uvicorn.port": 1}:                           `uvicorn: unknown section "uvicorn"; host, port and other settings of the HTTP server are in the section app (known: app, server_auth) (ConfigMap)`,
	} {
		if err := app.New(app.RegisterSettings("server_auth", auth{}), app.ConfigMap(*values)).Err(); text(err) != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestSeveralFaultsAreALineEach(t *testing.T) {
	code, _, stderr := launch(t, "plain", "APP__PORT=x", "APP__HOST=").exit()
	_, lines, _ := strings.Cut(stderr, ": ")
	want := "the configuration has 2 faults\n" +
		"  app.port: must be a whole number, not \"x\" (environment variable APP__PORT)\n" +
		"  app.host: must be an address or a host name (\"0.0.0.0\" listens everywhere), not \"\" (environment variable APP__HOST)\n"
	if code != 1 || lines != want {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// A dash with nothing behind it is easily left over.
func TestAListItemWithoutAValueIsNamed(t *testing.T) {
	file := writeFile(t, "app:\n  cors_origins:\n    - https://a.example\n    -\n")
	err := app.New(app.ConfigFile(file)).Err()
	want := `app.cors_origins[1]: has no value; write "" or [] for an empty one (` + file + ":4)"
	if text(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
