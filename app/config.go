package app

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// ConventionalConfigFile is the one configuration file that may be absent: the
// path, exactly so written, that a program looks for when nobody named another.
const ConventionalConfigFile = "application.yaml"

const keyDelimiter = "."

// ConfigSources is everything a configuration is made of. Within each list the
// later entry wins, and each list wins over the one before it.
//
// The keys of the maps are nested ("server_auth": {"issuer": …}) or joined by
// dots ("server_auth.issuer": …), as they come.
type ConfigSources struct {
	// Sections are the names that may be configured. A file or a map with
	// another is an error; an environment variable of another is not ours.
	Sections []string
	// Defaults lie below every other source, above the defaults in the code.
	Defaults []map[string]any
	// Files are paths of YAML files. Only ConventionalConfigFile may be absent.
	Files []string
	// Environ holds NAME=value lines as os.Environ returns them. SECTION__KEY
	// sets section.key; an empty value counts.
	Environ []string
	// Maps win over everything.
	Maps []map[string]any
}

// LoadConfig reads the sources into one koanf. Errors name the file, the variable
// or the section, and never a value.
func LoadConfig(sources ConfigSources) (*koanf.Koanf, error) {
	config := configBuilder{koanf: koanf.New(keyDelimiter), sections: make(map[string]bool)}
	for _, name := range sources.Sections {
		if !isSectionName(name) {
			return nil, fmt.Errorf("section name %q is not lowercase letters, digits and single underscores", name)
		}
		config.sections[name] = true
	}
	for _, values := range sources.Defaults {
		if err := config.add("ConfigDefaults", values); err != nil {
			return nil, err
		}
	}
	for _, path := range sources.Files {
		values, err := readYAML(path)
		if err != nil {
			return nil, err
		}
		if err := config.add(path, values); err != nil {
			return nil, err
		}
	}
	if err := config.addEnvironment(sources.Environ); err != nil {
		return nil, err
	}
	for _, values := range sources.Maps {
		if err := config.add("ConfigMap", values); err != nil {
			return nil, err
		}
	}
	return config.koanf, nil
}

type configBuilder struct {
	koanf    *koanf.Koanf
	sections map[string]bool
}

// add merges values; source is how errors call them.
func (b *configBuilder) add(source string, values map[string]any) error {
	nested := make(map[string]any)
	if err := nest(nested, values, ""); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	for _, name := range sortedKeys(nested) {
		if !b.sections[name] {
			known := slices.Sorted(maps.Keys(b.sections))
			return fmt.Errorf("%s: unknown section %q (known: %s)", source, name, strings.Join(known, ", "))
		}
		if nested[name] == nil { // every key of the section is commented out
			delete(nested, name)
		} else if _, isMap := nested[name].(map[string]any); !isMap {
			return fmt.Errorf("%s: %w", source, &ConfigError{Key: name, Reason: "must be a section of keys"})
		}
	}
	if err := b.koanf.Load(confmap.Provider(nested, ""), nil); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	return nil
}

func (b *configBuilder) addEnvironment(environ []string) error {
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		prefix, rest, hasKey := strings.Cut(name, "__")
		section := strings.ToLower(prefix)
		if !hasKey || !b.sections[section] || prefix != strings.ToUpper(section) {
			continue
		}
		key := section + keyDelimiter + strings.ReplaceAll(strings.ToLower(rest), "__", keyDelimiter)
		if err := b.add("environment variable "+name, map[string]any{key: value}); err != nil {
			return err
		}
	}
	return nil
}

// nest copies values into dst with dotted keys taken apart. path is the key of
// dst itself, for errors.
func nest(dst, values map[string]any, path string) error {
	for _, key := range sortedKeys(values) {
		if err := place(dst, strings.Split(key, keyDelimiter), values[key], path); err != nil {
			return err
		}
	}
	return nil
}

func place(dst map[string]any, parts []string, value any, path string) error {
	if path != "" {
		path += keyDelimiter
	}
	path += parts[0]
	if parts[0] == "" {
		return &ConfigError{Key: path, Reason: "a part of the key is empty"}
	}
	inner, isMap, err := stringMap(value)
	if err != nil {
		return &ConfigError{Key: path, Reason: err.Error()}
	}
	present, exists := dst[parts[0]]
	if len(parts) == 1 && !isMap {
		if exists {
			return &ConfigError{Key: path, Reason: "is given twice"}
		}
		dst[parts[0]] = value
		return nil
	}
	if !exists {
		present = make(map[string]any)
		dst[parts[0]] = present
	}
	child, ok := present.(map[string]any)
	if !ok {
		return &ConfigError{Key: path, Reason: "is given twice"}
	}
	if len(parts) > 1 {
		return place(child, parts[1:], value, path)
	}
	return nest(child, inner, path)
}

// stringMap returns value as a map[string]any if it is a map of any make.
func stringMap(value any) (converted map[string]any, isMap bool, err error) {
	source := reflect.ValueOf(value)
	if source.Kind() != reflect.Map {
		return nil, false, nil
	}
	converted = make(map[string]any, source.Len())
	for entries := source.MapRange(); entries.Next(); {
		key := entries.Key()
		if key.Kind() == reflect.Interface {
			key = key.Elem()
		}
		if key.Kind() != reflect.String {
			return nil, true, fmt.Errorf("has a key that is not text")
		}
		converted[key.String()] = entries.Value().Interface()
	}
	return converted, true, nil
}

func isSectionName(name string) bool {
	if name == "" || strings.HasPrefix(name, "_") || strings.HasSuffix(name, "_") || strings.Contains(name, "__") {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	}) < 0
}
