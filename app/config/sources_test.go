package config_test

import (
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/app/config"
)

func TestLoadOrder(t *testing.T) {
	sources := config.Sources{
		Sections: []string{"store", "app", "store"},
		Defaults: []map[string]any{
			{"store.a": "defaults", "store.b": "defaults", "store.c": "defaults", "store.d": "defaults", "store.e": "defaults"},
			{"store": map[string]any{"b": "defaults 2"}},
		},
		Files: []string{
			writeFile(t, "store:\n  c: file\n  d: file\n  e: file\n  list: [x, y]\n"),
			writeFile(t, "store.d: file 2\nstore:\n  inner.deep: 1\n"),
		},
		Environ: []string{"STORE__E=environment", "STORE__F=environment", "STORE__LIST=", "STORE__INNER__MORE=a=b"},
		Maps:    []map[string]any{{"store.f": "map"}, {"store": map[string]string{"g": "map 2"}}},
	}
	k, _, err := config.Load(sources)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"store.a": "defaults", "store.b": "defaults 2", "store.c": "file", "store.d": "file 2",
		"store.e": "environment", "store.f": "map", "store.g": "map 2", "store.list": "",
		"store.inner.deep": 1, "store.inner.more": "a=b",
	}
	if got := k.All(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestLoadEnvironmentThatIsNotOurs(t *testing.T) {
	k, _, err := config.Load(config.Sources{
		Sections: []string{"app", "server_auth"},
		Environ: []string{
			"PATH=/bin", "APP=x", "APP_PORT=tcp://10.0.0.1:80", "SERVER__AUTH=x", "OTHER__KEY=x", "app__port=1", "App__Port=1",
			"__APP=x", "=C:=x", "", "SERVER_AUTH__ISSUER=mine",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := k.All(); !maps.Equal(got, map[string]any{"server_auth.issuer": "mine"}) {
		t.Errorf("got %v", got)
	}
}

func TestLoadFiles(t *testing.T) {
	tests := map[string]struct {
		content string
		want    string // of the error, after the path
	}{
		"empty":                   {"", ""},
		"comments":                {"# app:\n", ""},
		"a document of nothing":   {"---\n", ""},
		"section without keys":    {"app:\n#  port: 1\n", ""},
		"anchors":                 {"app: &a\n  port: 1\nstore: *a\n", ""},
		"unknown section":         {"servers: {x: 1}\n", `servers: unknown section "servers" (known: app, store)`},
		"unknown dotted section":  {"stor.x: 1\n", `stor: unknown section "stor"; did you mean "store"? (known: app, store)`},
		"key without section":     {"port: hunter2\n", `port: unknown section "port" (known: app, store)`},
		"section that is text":    {"app: hunter2\n", "app: must be a section of keys"},
		"section that is a list":  {"app: [hunter2]\n", "app: must be a section of keys"},
		"text":                    {"hunter2\n", "must be a mapping of sections"},
		"list":                    {"- hunter2\n", "must be a mapping of sections"},
		"two documents":           {"app: {}\n---\nstore: {}\n", "holds more than one YAML document"},
		"key given twice":         {"app:\n  port: 1\n  port: hunter2\n", `line 3: key "port" is given twice`},
		"key given in two forms":  {"app:\n  port: 1\napp.port: 2\n", "app.port: is given twice"},
		"value and section":       {"app.port: 1\napp.port.x: 2\n", "app.port: is given twice"},
		"section and value":       {"app.port.x: 1\napp:\n  port: 2\n", "app.port: is given twice"},
		"empty part of a key":     {"app:\n  a..b: 1\n", "app.a.: a part of the key is empty"},
		"key that is no text":     {"app:\n  5: hunter2\n", "app: has a key that is not text"},
		"section that is no text": {"5: hunter2\n", "has a key that is not text"},
		"tab":                     {"app:\n\tport: hunter2\n", "not valid YAML near line 2"},
		"unclosed":                {"app: {port: [hunter2\n", "not valid YAML near line 1"},
		"unknown anchor":          {"app: *hunter2\n", "not valid YAML"},
		"binary":                  {"\x00\x01hunter2", "not valid YAML"},
		"alias bomb":              {aliasBomb(), "not valid YAML"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, test.content)
			_, _, err := config.Load(config.Sources{Sections: []string{"store", "app"}, Files: []string{path}})
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), path) || !strings.HasSuffix(err.Error(), ": "+test.want) && !strings.HasPrefix(err.Error(), test.want+" ("+path+":") {
				t.Fatalf("got %v, want the path and %q", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("shows the value: %v", err)
			}
		})
	}
}

// aliasBomb is YAML of a few lines that would grow to 10^9 items.
func aliasBomb() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		before, name := string(rune('0'+i)), string(rune('1'+i))
		text.WriteString("a" + name + ": &a" + name + " [" + strings.Repeat("*a"+before+",", 10) + "]\n")
	}
	return text.String()
}

func TestLoadFileThatIsAbsent(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, _, err := config.Load(config.Sources{Files: []string{"application.yaml"}}); err != nil {
		t.Errorf("the conventional file may be absent: %v", err)
	}
	for _, path := range []string{"./application.yaml", "other.yaml", "/nowhere/application.yaml"} {
		_, _, err := config.Load(config.Sources{Files: []string{path}})
		if want := `config file "` + path + `": no such file or directory`; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := os.Mkdir("application.yaml", 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err := config.Load(config.Sources{Files: []string{"application.yaml"}})
	if want := `config file "application.yaml": is a directory`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLoadOtherMistakes(t *testing.T) {
	tests := map[string]struct {
		sources config.Sources
		want    string
	}{
		"variable without a key": {config.Sources{Environ: []string{"APP__=x"}},
			"app.: a part of the key is empty (environment variable APP__)"},
		"variable with an empty part": {config.Sources{Environ: []string{"APP__A____B=x"}},
			"app.a.: a part of the key is empty (environment variable APP__A____B)"},
		"section in ConfigMap": {config.Sources{Maps: []map[string]any{{"ap.port": 1}}},
			`ap: unknown section "ap"; did you mean "app"? (known: app) (ConfigMap)`},
		"section in ConfigDefaults": {config.Sources{Defaults: []map[string]any{{"ap": map[string]any{}}}},
			`ap: unknown section "ap"; did you mean "app"? (known: app) (ConfigDefaults)`},
		"section name in capitals": {config.Sources{Sections: []string{"App"}},
			`section name "App" is not lowercase letters, digits and single underscores`},
		"section name with two underscores": {config.Sources{Sections: []string{"a__b"}},
			`section name "a__b" is not lowercase letters, digits and single underscores`},
		"section name with a dot": {config.Sources{Sections: []string{"a.b"}},
			`section name "a.b" is not lowercase letters, digits and single underscores`},
		"section name that is empty": {config.Sources{Sections: []string{""}},
			`section name "" is not lowercase letters, digits and single underscores`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.sources.Sections = append([]string{"app"}, test.sources.Sections...)
			if _, _, err := config.Load(test.sources); err == nil || err.Error() != test.want {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestLoadLeavesItsSourcesAlone(t *testing.T) {
	inner := map[string]any{"port": 1}
	values := map[string]any{"app": inner}
	sources := config.Sources{Sections: []string{"app"}, Defaults: []map[string]any{values}, Environ: []string{"APP__PORT=2"}}
	if _, _, err := config.Load(sources); err != nil {
		t.Fatal(err)
	}
	if inner["port"] != 1 || len(inner) != 1 {
		t.Errorf("changed to %v", values)
	}
}
