package config_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/knadh/koanf/v2"

	"github.com/picoauth/picoauth/app/config"
)

type storeSettings struct {
	URL      string            `koanf:"url"`
	Password string            `koanf:"password"`
	Secret   int               `koanf:"secret"`
	Enabled  bool              `koanf:"enabled"`
	TTL      int               `koanf:"ttl_seconds"`
	Small    int8              `koanf:"small"`
	Rate     float64           `koanf:"rate"`
	Roles    []string          `koanf:"roles"`
	Ports    []int             `koanf:"ports"`
	TLS      tlsSettings       `koanf:"tls"`
	Labels   map[string]string `koanf:"labels"`
	Ignored  string
	Excluded string `koanf:"-"`
}

type tlsSettings struct {
	File string `koanf:"file"`
}

func (s *storeSettings) Validate() error {
	return errors.Join(
		config.CheckRange("ttl_seconds", s.TTL, 1, 3600),
		config.CheckNotEmpty("url", s.URL),
	)
}

func defaultStore() storeSettings {
	return storeSettings{URL: "memory:", TTL: 60, Roles: []string{"operator", "admin"}}
}

func TestSectionDecodes(t *testing.T) {
	type change func(*storeSettings)
	tests := map[string]struct {
		values map[string]any
		change change
	}{
		"nothing":                       {nil, func(*storeSettings) {}},
		"text":                          {map[string]any{"url": "redis://x"}, func(s *storeSettings) { s.URL = "redis://x" }},
		"number":                        {map[string]any{"ttl_seconds": 5}, func(s *storeSettings) { s.TTL = 5 }},
		"number as text":                {map[string]any{"ttl_seconds": " 5 "}, func(s *storeSettings) { s.TTL = 5 }},
		"integral float":                {map[string]any{"ttl_seconds": 5.0}, func(s *storeSettings) { s.TTL = 5 }},
		"unsigned":                      {map[string]any{"ttl_seconds": uint8(5)}, func(s *storeSettings) { s.TTL = 5 }},
		"small number at its edge":      {map[string]any{"small": -128}, func(s *storeSettings) { s.Small = -128 }},
		"true":                          {map[string]any{"enabled": true}, func(s *storeSettings) { s.Enabled = true }},
		"true as text":                  {map[string]any{"enabled": "TRUE"}, func(s *storeSettings) { s.Enabled = true }},
		"one as text":                   {map[string]any{"enabled": "1"}, func(s *storeSettings) { s.Enabled = true }},
		"float":                         {map[string]any{"rate": 0.5}, func(s *storeSettings) { s.Rate = 0.5 }},
		"float as text":                 {map[string]any{"rate": "0.5"}, func(s *storeSettings) { s.Rate = 0.5 }},
		"integer for float":             {map[string]any{"rate": 2}, func(s *storeSettings) { s.Rate = 2 }},
		"list replaces":                 {map[string]any{"roles": []any{"x"}}, func(s *storeSettings) { s.Roles = []string{"x"} }},
		"list of strings":               {map[string]any{"roles": []string{"x, y"}}, func(s *storeSettings) { s.Roles = []string{"x, y"} }},
		"list by comma":                 {map[string]any{"roles": " x ,y,, "}, func(s *storeSettings) { s.Roles = []string{"x", "y"} }},
		"empty text empties a list":     {map[string]any{"roles": ""}, func(s *storeSettings) { s.Roles = []string{} }},
		"empty list":                    {map[string]any{"roles": []any{}}, func(s *storeSettings) { s.Roles = []string{} }},
		"numbers by comma":              {map[string]any{"ports": "1, 2"}, func(s *storeSettings) { s.Ports = []int{1, 2} }},
		"section inside":                {map[string]any{"tls.file": "f"}, func(s *storeSettings) { s.TLS.File = "f" }},
		"section inside, empty":         {map[string]any{"tls": map[string]any{}}, func(*storeSettings) {}},
		"map":                           {map[string]any{"labels": map[string]any{"a": "b"}}, func(s *storeSettings) { s.Labels = map[string]string{"a": "b"} }},
		"text that looks like a number": {map[string]any{"url": "0123"}, func(s *storeSettings) { s.URL = "0123" }},
	}
	for name, test := range tests {
		for _, delim := range []string{".", "/"} {
			t.Run(name+" by "+delim, func(t *testing.T) {
				want := defaultStore()
				test.change(&want)
				values := make(map[string]any)
				for key, value := range test.values {
					values["store"+delim+strings.ReplaceAll(key, ".", delim)] = value
				}
				values["storefront"+delim+"url"] = "another section"
				got, err := config.Section(load(t, values, delim), "store", defaultStore())
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v\nwant %+v", got, want)
				}
			})
		}
	}
}

func TestSectionRefuses(t *testing.T) {
	const secret = "hunter2"
	tests := map[string]struct {
		values map[string]any
		want   string
	}{
		"unknown key":               {map[string]any{"urll": secret}, `store.urll: unknown key; did you mean "url"?`},
		"unknown key inside":        {map[string]any{"tls.fil": secret}, `store.tls.fil: unknown key; did you mean "file"?`},
		"field without a tag":       {map[string]any{"Ignored": secret}, `store.Ignored: unknown key`},
		"field that is excluded":    {map[string]any{"-": secret}, `store.-: unknown key`},
		"another case":              {map[string]any{"URL": secret}, `store.URL: unknown key; did you mean "url"?`},
		"text for number":           {map[string]any{"ttl_seconds": secret}, `store.ttl_seconds: must be a whole number of seconds, not "hunter2"`},
		"empty text for number":     {map[string]any{"ttl_seconds": ""}, `store.ttl_seconds: must be a whole number of seconds, not ""`},
		"fraction":                  {map[string]any{"ttl_seconds": 1.5}, `store.ttl_seconds: must be a whole number of seconds, not 1.5`},
		"fraction as text":          {map[string]any{"ttl_seconds": "1.5"}, `store.ttl_seconds: must be a whole number of seconds, not "1.5"`},
		"not a number":              {map[string]any{"ttl_seconds": math.NaN()}, `store.ttl_seconds: must be a whole number of seconds, not NaN`},
		"infinite":                  {map[string]any{"ttl_seconds": math.Inf(1)}, `store.ttl_seconds: must be a whole number of seconds, not +Inf`},
		"two to the 63rd":           {map[string]any{"ttl_seconds": 0x1p63}, `store.ttl_seconds: must be a whole number of seconds, not 9.223372036854776e+18`},
		"unsigned too large":        {map[string]any{"ttl_seconds": uint64(math.MaxUint64)}, `store.ttl_seconds: must be a whole number of seconds, not 18446744073709551615`},
		"boolean for number":        {map[string]any{"ttl_seconds": true}, `store.ttl_seconds: must be a whole number of seconds, not true`},
		"list for number":           {map[string]any{"ttl_seconds": []any{secret}}, `store.ttl_seconds: must be a whole number of seconds`},
		"too large for its type":    {map[string]any{"small": 128}, `store.small: is too large a number, not 128`},
		"number for text":           {map[string]any{"url": 12345}, `store.url: must be text (in YAML, put it in quotes), not 12345`},
		"section for text":          {map[string]any{"url.x": secret}, `store.url: must be text (in YAML, put it in quotes)`},
		"text for boolean":          {map[string]any{"enabled": secret}, `store.enabled: must be true or false, not "hunter2"`},
		"number for boolean":        {map[string]any{"enabled": 1}, `store.enabled: must be true or false, not 1`},
		"text for float":            {map[string]any{"rate": secret}, `store.rate: must be a number, not "hunter2"`},
		"NaN as text":               {map[string]any{"rate": "NaN"}, `store.rate: must be a number, not "NaN"`},
		"boolean for float":         {map[string]any{"rate": true}, `store.rate: must be a number, not true`},
		"number for list":           {map[string]any{"roles": 5}, `store.roles: must be a list, or text with commas between its items, not 5`},
		"number in a list":          {map[string]any{"roles": []any{"a", 5}}, `store.roles[1]: must be text (in YAML, put it in quotes), not 5`},
		"nothing in a list":         {map[string]any{"roles": []any{nil}}, `store.roles[0]: has no value; write "" or [] for an empty one`},
		"text in a list of numbers": {map[string]any{"ports": "1," + secret}, `store.ports[1]: must be a whole number, not "hunter2"`},
		"text for section":          {map[string]any{"tls": secret}, `store.tls: must be a section of keys, not "hunter2"`},
		"text for map":              {map[string]any{"labels": secret}, `store.labels: must be a section of keys, not "hunter2"`},
		"number in a map":           {map[string]any{"labels.a": 1}, `store.labels.a: must be text (in YAML, put it in quotes), not 1`},
		"no value":                  {map[string]any{"url": nil}, `store.url: has no value; write "" or [] for an empty one`},
		"several": {map[string]any{"ttl_seconds": "x", "rate": "y", "small": 1000, "url": ""},
			"store.rate: must be a number, not \"y\"\nstore.small: is too large a number, not 1000\nstore.ttl_seconds: must be a whole number of seconds, not \"x\"\nstore.url: must not be empty"},
		"secret of another type":   {map[string]any{"password": 12345}, "store.password: must be text (in YAML, put it in quotes)"},
		"secret that is no number": {map[string]any{"secret": secret}, "store.secret: must be a whole number"},
		"long text for number":     {map[string]any{"small": strings.Repeat("x", 100)}, `store.small: must be a whole number, not "` + strings.Repeat("x", 64) + `…"`},
		"out of range":             {map[string]any{"ttl_seconds": 0}, `store.ttl_seconds: 0 is not within 1 to 3600 seconds`},
		"two that Validate refuses": {map[string]any{"ttl_seconds": 3601, "url": ""},
			"store.ttl_seconds: 3601 is not within 1 to 3600 seconds\nstore.url: must not be empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			values := make(map[string]any)
			for key, value := range test.values {
				values["store."+key] = value
			}
			got, err := config.Section(load(t, values, "."), "store", defaultStore())
			if err == nil || err.Error() != test.want {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			var config *config.Error
			if !errors.As(err, &config) || !strings.HasPrefix(config.Key, "store.") {
				t.Errorf("not a Error with its full key: %#v", err)
			}
			if !reflect.DeepEqual(got, defaultStore()) {
				t.Errorf("half decoded: %+v", got)
			}
		})
	}
}

func TestSectionThatIsNone(t *testing.T) {
	for name, value := range map[string]any{"text": "hunter2", "list": []any{"hunter2"}, "number": 5} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Section(load(t, map[string]any{"store": value}, "."), "store", defaultStore())
			if err == nil || err.Error() != "store: must be a section of keys" {
				t.Error(err)
			}
		})
	}
	for name, value := range map[string]any{"null": nil, "empty": map[string]any{}} {
		t.Run(name, func(t *testing.T) {
			if _, err := config.Section(load(t, map[string]any{"store": value}, "."), "store", defaultStore()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSectionProgramMistakes(t *testing.T) {
	k := load(t, map[string]any{"store.key": "hunter2"}, ".")
	if _, err := config.Section(k, "store", 7); err == nil {
		t.Error("settings that are no struct")
	}
	type unsupported struct {
		Key *string `koanf:"key"`
	}
	_, err := config.Section(k, "store", unsupported{})
	if err == nil || err.Error() != "store.key: settings of type *string are not supported" {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Validate() error { return f.err }

func TestSectionValidateKeepsItsError(t *testing.T) {
	sentinel := errors.New("the moon is full")
	for _, given := range []error{fmt.Errorf("not now: %w", sentinel), fmt.Errorf("not %w: %w", errors.New("now"), sentinel)} {
		_, err := config.Section(koanf.New("."), "store", failing{given})
		if !errors.Is(err, sentinel) || err.Error() != "store: "+given.Error() {
			t.Error(err)
		}
	}
}

func TestCheckOneOf(t *testing.T) {
	if err := config.CheckOneOf("level", "info", "info", "warn"); err != nil {
		t.Error(err)
	}
	err := config.CheckOneOf("level", "x\n", "info", "warn")
	if err == nil || err.Error() != `level: "x\n" is not one of info, warn` {
		t.Error(err)
	}
}

// PartSettings are shared by sections.
type PartSettings struct {
	URL string `koanf:"url"`
}

func TestAnEmbeddedStructsKeysAreTheSections(t *testing.T) {
	type whole struct {
		PartSettings
		Parts []PartSettings `koanf:"parts"`
	}
	values := map[string]any{"store.url": "a", "store.parts": []any{map[string]any{"url": "b"}}}
	got, err := config.Section(load(t, values, "."), "store", whole{})
	if want := (whole{PartSettings{"a"}, []PartSettings{{"b"}}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := config.CheckTexts("", whole{PartSettings: PartSettings{" a"}}); err == nil || !strings.HasPrefix(err.Error(), "url: ") {
		t.Error(err)
	}
}

func TestCheckTexts(t *testing.T) {
	type texts struct {
		Name   string `koanf:"name"`
		Secret string `koanf:"secret"`
	}
	for given, want := range map[texts]string{
		{Name: "a b ü", Secret: "$2a$10$abc ü$(x)"}: "",
		{Name: "$(NAME)"}:                "",
		{Name: "a\n"}:                    "name: has a line break or another control character: \"a\\n\"",
		{Name: "a\u0085b"}:               "name: has a line break or another control character: \"a\\u0085b\"",
		{Secret: "\ufeffsecret"}:         "secret: has white space around it",
		{Secret: "secret\u200b"}:         "secret: has white space around it",
		{Secret: "secret\u00a0"}:         "secret: has white space around it",
		{Secret: "'secret'"}:             "secret: has quotes around it",
		{Secret: "$(SECRET)"}:            "secret: is a placeholder that nothing has replaced",
		{Secret: "$SECRET"}:              "secret: is a placeholder that nothing has replaced",
		{Secret: "{{ .Values.secret }}"}: "secret: is a placeholder that nothing has replaced",
		{Secret: "%SECRET%"}:             "secret: is a placeholder that nothing has replaced",
		{Secret: "<secret>"}:             "secret: is a placeholder that nothing has replaced",
	} {
		got := ""
		if err := config.CheckTexts("", given); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%+q: got %q, want %q", given, got, want)
		}
	}
}

func TestCheckTextsOfAList(t *testing.T) {
	type lists struct {
		Roles []string `koanf:"roles"`
	}
	err := config.CheckTexts("a.", lists{[]string{"admin", "", " x"}})
	if want := "a.roles[1]: must not be empty\na.roles[2]: has white space around it: \" x\""; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := config.CheckTexts("a.", lists{}); err != nil {
		t.Error(err)
	}
}
