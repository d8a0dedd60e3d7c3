package config

import (
	"strings"
	"testing"
)

// FuzzExpandText holds the substitution to what it promises: no placeholder of the text is left, what is put in is
// not looked at again, and text without one stays as it is.
func FuzzExpandText(f *testing.F) {
	for _, seed := range []string{
		"", "plain", "${ENV:A}", "${ENV:A:b}", "${ENV:A:}", "x${ENV:A}y${ENV:B:c}z", "${", "${ENV:", "${ENV:A:${ENV:B}}", "$${ENV:A}}", "${ENV:Ä}",
	} {
		f.Add(seed, "value ${ENV:A}", true)
		f.Add(seed, "", false)
	}
	f.Fuzz(func(t *testing.T, text, value string, set bool) {
		asked := 0
		got, err := expandText(text, func(name string) (string, bool) {
			asked++
			if !isVariableName(name) {
				t.Errorf("asked for %q", name)
			}
			return value, set
		})
		count := strings.Count(text, "${")
		switch {
		case count == 0 && (err != nil || got != text || asked != 0):
			t.Errorf("text without a placeholder became %q, %v", got, err)
		case err != nil && got != "":
			t.Errorf("a fault and a text: %q, %v", got, err)
		case err == nil && asked != count:
			t.Errorf("%d of %d placeholders were replaced", asked, count)
		}
	})
}

// FuzzEnvironment reads anything as the environment: faults, never a panic, and each with its place.
func FuzzEnvironment(f *testing.F) {
	f.Add("APP__PORT=1\nAPP__PORT_FILE=/none\nAPP_PORT=2\nAPP__CORS_ORIGINS=${ENV:APP_PORT}")
	f.Add("APP__=\n__=\nAPP__A____B=x\n=\nAPP__LOG__LEVEL=y")
	f.Fuzz(func(t *testing.T, lines string) {
		if strings.Contains(lines, "_FILE=") {
			return // no file of the machine is read
		}
		sources := Sources{Environ: strings.Split(lines, "\n")}
		AddSettings(&sources, "app", struct {
			Port    int      `koanf:"port"`
			Level   string   `koanf:"log_level"`
			Origins []string `koanf:"cors_origins"`
		}{})
		_, _, err := Load(sources)
		for _, fault := range Faults(err) {
			if config, ok := fault.(*Error); !ok || config.Source == "" { //nolint:errorlint // faults are not wrapped
				t.Errorf("a fault without its place: %v", fault)
			}
		}
	})
}
