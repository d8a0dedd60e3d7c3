package config

import (
	"errors"
	"fmt"

	"github.com/knadh/koanf/v2"
)

// ConventionalFile is the path of the default configuration file, the only one that may be absent.
const ConventionalFile = "application.yaml"

const keyDelimiter = "."

// Sources are the sources of a configuration. Within each list a later entry overrides an earlier one, and each list
// overrides the one before it.
//
// The keys of the maps are nested ("server_auth": {"issuer": …}) or joined by dots ("server_auth.issuer": …).
//
// A text value may contain ${ENV:NAME} or ${ENV:NAME:default}, which is replaced by the value in Environ. A variable that is set
// and empty counts as set. A variable that is not set and has no default is an error, and so is any other "${".
type Sources struct {
	// Sections are the names of the sections. Another section in a file or a map is an error, or without effect if it belongs to a
	// module of this project. Environment variables of other sections are ignored.
	Sections []string
	// Defaults override the defaults in the code. All other sources override them.
	Defaults []map[string]any
	// Files are paths of YAML files. Only ConventionalFile may be absent. KEY_file in them names a file with the value of KEY,
	// as below.
	Files []string
	// Environ are NAME=value lines as os.Environ returns them. SECTION__KEY sets section.key; an empty value counts. SECTION__KEY_FILE
	// names a file with the value; one line break at its end is removed.
	Environ []string
	// Maps override all other sources.
	Maps []map[string]any

	settings []sectionSettings
}

// sectionSettings describes a section of AddSettings.
type sectionSettings struct {
	name string
	keys []string // below the section, joined by dots
	// decode returns the settings, a struct, and their faults.
	decode func(k *koanf.Koanf, validate bool) (any, error)
}

// Load reads the sources into one koanf, and returns warnings about settings without effect. The error joins all faults that were
// found, each an *Error if it concerns one key. No fault contains the value of a secret.
func Load(sources Sources) (*koanf.Koanf, []Warning, error) {
	l := newLoader(sources)
	if err := l.load(sources); err != nil {
		return nil, l.warnings, err
	}
	return l.koanf, l.warnings, nil
}

// load reads all sources and checks the result.
func (l *loader) load(sources Sources) error {
	for _, values := range sources.Defaults {
		l.add(values, at(defaultsSource))
	}
	for _, path := range sources.Files {
		l.addFile(path)
	}
	l.addEnvironment(sources.Environ)
	for _, values := range sources.Maps {
		l.add(values, at("ConfigMap"))
	}
	l.expand()
	l.warnOfVariables(sources.Environ)
	l.check()
	return errors.Join(l.faults...)
}

// Warning is a part of a configuration that has no effect, with the reason.
type Warning struct {
	Message string
	Name    string // of the section or variable
	Source  string
}

func (w Warning) String() string { return fmt.Sprintf("%s: %s (%s)", w.Name, w.Message, w.Source) }
