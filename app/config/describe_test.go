package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app/config"
)

type shelfSettings struct {
	Name    string            `koanf:"name"`
	Token   string            `koanf:"token"`
	Storage string            `koanf:"storage_url"`
	Seconds int               `koanf:"ttl_seconds"`
	Open    bool              `koanf:"open"`
	Roles   []string          `koanf:"roles"`
	Labels  map[string]string `koanf:"labels"`
	Peers   []struct {
		Name     string `koanf:"name"`
		Password string `koanf:"password"`
	} `koanf:"peers"`
}

func describe(t *testing.T, text string, environ ...string) (map[string]config.Value, error) {
	t.Helper()
	sources := config.Sources{Files: []string{writeFile(t, text)}, Environ: environ}
	config.AddSettings(&sources, "store", shelfSettings{Seconds: 60, Roles: []string{"a", "b"}})
	values, _, err := config.Describe(sources)
	byKey := make(map[string]config.Value)
	for _, value := range values {
		byKey[value.Key] = value
	}
	return byKey, err
}

func TestDescribeHasEverySettingWithItsSource(t *testing.T) {
	values, err := describe(t, "store:\n  name: first\n  token: do-not-show\n  storage_url: postgres://u:do-not-show@h/db\n"+
		"  labels: {zone: east}\n  peers:\n    - name: one\n      password: do-not-show\n", "STORE__OPEN=true")
	require.NoError(t, err)
	for key, want := range map[string][2]string{
		"store.name": {"text", "first"}, "store.token": {"text", "(hidden)"}, "store.storage_url": {"text", "postgres:(hidden)"},
		"store.ttl_seconds": {"whole number of seconds", "60"}, "store.open": {"true or false", "true"},
		"store.roles": {"list of text", "a, b"}, "store.labels.zone": {"text", "east"},
		"store.peers[0].name": {"text", "one"}, "store.peers[0].password": {"text", "(hidden)"},
	} {
		assert.Equal(t, want, [2]string{values[key].Form, values[key].Value}, key)
	}
	assert.Len(t, values, 9)
	assert.Equal(t, "environment variable STORE__OPEN", values["store.open"].Source)
	assert.Equal(t, "STORE__TTL_SECONDS", values["store.ttl_seconds"].Variable)
	assert.Empty(t, values["store.ttl_seconds"].Source, "a default")
	assert.Regexp(t, `:2$`, values["store.name"].Source)
	assert.Empty(t, values["store.peers[0].name"].Variable)
}

func TestDescribeReportsTheFaults(t *testing.T) {
	_, err := describe(t, "store:\n  nam: x\n  ttl_seconds: soon\n")
	assert.ErrorContains(t, err, "store.nam: unknown key")
	assert.ErrorContains(t, err, "store.ttl_seconds: must be a whole number")
}

func TestAFileNamesTheFileOfAValue(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(secret, []byte("from ${the} file\n"), 0o600))
	for name, test := range map[string]struct {
		text    string
		environ []string
		want    string // of the fault
	}{
		"nested":                {text: "store:\n  token_file: " + secret + "\n"},
		"dotted":                {text: "store.token_file: " + secret + "\n"},
		"placeholder":           {text: "store:\n  token_file: ${ENV:WHERE}\n", environ: []string{"WHERE=" + secret}},
		"the environment wins":  {text: "store:\n  token_file: " + secret + "\n", environ: []string{"STORE__TOKEN=other"}},
		"twice":                 {text: "store:\n  token: x\n  token_file: " + secret + "\n", want: "store.token: is given twice, with and without _file"},
		"no file":               {text: "store:\n  token_file: " + secret + ".none\n", want: "store.token: cannot be read: no such file"},
		"no text":               {text: "store:\n  token_file: 5\n", want: "store.token_file: must be the path of a file"},
		"a variable is missing": {text: "store:\n  token_file: ${ENV:NOWHERE}\n", want: "store.token_file: the environment variable of ${ENV:NOWHERE} is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			sources := config.Sources{Files: []string{writeFile(t, test.text)}, Environ: test.environ}
			config.AddSettings(&sources, "store", shelfSettings{})
			k, _, err := config.Load(sources)
			if test.want != "" {
				assert.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			want := "from ${the} file"
			if name == "the environment wins" {
				want = "other"
			}
			assert.Equal(t, want, k.String("store.token"))
			assert.False(t, k.Exists("store.token_file"))
		})
	}
}
