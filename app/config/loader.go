package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// moduleSections are the sections of this project's modules. A section of a module that the program does not contain is no fault,
// because a file may be used by several programs.
var moduleSections = []string{"server_auth", "auth_client", "oauth"}

// origin is where the value of a key comes from, for errors.
type origin struct {
	source  string
	literal bool // "${" in the value is not a placeholder
}

// defaultsSource is the source of values that ConfigDefaults adds.
const defaultsSource = "ConfigDefaults"

// at returns a source that is the same for all keys.
func at(source string) func(key string) origin {
	return func(string) origin { return origin{source: source} }
}

type loader struct {
	koanf    *koanf.Koanf
	sections map[string]bool
	settings []sectionSettings
	environ  map[string]string
	used     map[string]bool   // variables that a placeholder named
	fileKeys map[string]string // keys that name a file with the value of another key, with that key
	origins  map[string]origin // by key, and by key[i] for the items of a list
	broken   bool              // a whole file could not be read
	faults   []error
	warnings []Warning
}

func newLoader(sources Sources) *loader {
	l := &loader{
		koanf: koanf.New(keyDelimiter), sections: make(map[string]bool), environ: make(map[string]string), used: make(map[string]bool),
		fileKeys: make(map[string]string), origins: make(map[string]origin),
	}
	for _, name := range sources.Sections {
		if !isSectionName(name) {
			l.faults = append(l.faults, fmt.Errorf("section name %q is not lowercase letters, digits and single underscores", name))
		}
		l.sections[name] = true
	}
	for _, settings := range sources.settings {
		if slices.ContainsFunc(l.settings, func(s sectionSettings) bool { return s.name == settings.name }) {
			continue
		}
		l.settings = append(l.settings, settings)
		for _, key := range settings.keys {
			if full := joinKey(settings.name, key); !slices.Contains(settings.keys, key+fileSuffix) {
				l.fileKeys[full+fileSuffix] = full
			}
		}
	}
	for _, line := range sources.Environ {
		name, value, _ := strings.Cut(line, "=")
		l.environ[name] = value
	}
	return l
}

func (l *loader) fault(key, reason, source string) {
	l.faults = append(l.faults, &Error{Key: key, Reason: reason, Source: source})
}

// add merges values; where returns the origin of each.
func (l *loader) add(values map[string]any, where func(key string) origin) {
	nested := make(map[string]any)
	tree := keyTree{fault: func(key, reason string) { l.fault(key, reason, where(key).source) }}
	tree.nest(nested, values, "")
	for _, name := range slices.Sorted(maps.Keys(nested)) {
		_, isMap := nested[name].(map[string]any)
		switch {
		case !l.sections[name]:
			l.unknownSection(name, where(name).source)
			delete(nested, name)
		case nested[name] == nil: // every key of the section is commented out
			delete(nested, name)
		case !isMap:
			l.fault(name, "must be a section of keys", where(name).source)
			delete(nested, name)
		}
	}
	l.remember(nested, "", where)
	if err := l.koanf.Load(confmap.Provider(nested, ""), nil); err != nil {
		l.faults = append(l.faults, err)
	}
}

func (l *loader) unknownSection(name, source string) {
	if slices.Contains(moduleSections, name) {
		l.warnings = append(l.warnings, Warning{"a section of the configuration has no effect: this program does not contain its module", name, source})
		return
	}
	known := slices.Sorted(maps.Keys(l.sections))
	reason := fmt.Sprintf("unknown section %q", name) + didYouMean(name, known)
	if now, moved := pythonSections[name]; moved {
		reason = fmt.Sprintf("unknown section %q; %s", name, now)
	}
	l.fault(name, reason+" (known: "+strings.Join(known, ", ")+")", source)
}

// remember records the origin of each value, and of each item of a list.
func (l *loader) remember(value any, key string, where func(string) origin) {
	if inner, isMap := value.(map[string]any); isMap && (len(inner) > 0 || key == "") {
		for name, child := range inner {
			l.remember(child, joinKey(key, name), where)
		}
		return
	}
	for known := range l.origins {
		if strings.HasPrefix(known, key+keyDelimiter) || strings.HasPrefix(known, key+"[") {
			delete(l.origins, known)
		}
	}
	l.origins[key] = where(key)
	if list := reflect.ValueOf(value); list.IsValid() && list.Kind() == reflect.Slice {
		for i := range list.Len() {
			item := fmt.Sprintf("%s[%d]", key, i)
			l.origins[item] = where(item)
		}
	}
}

// originOf returns the origin of a key, of a key that contains it, or of a part of it. (An environment variable with a dot in its
// name sets a nested key.)
func (l *loader) originOf(key string) origin {
	for whole := key; whole != ""; whole = whole[:max(strings.LastIndexAny(whole, keyDelimiter+"["), 0)] {
		if found, ok := l.origins[whole]; ok {
			return found
		}
	}
	for _, known := range slices.Sorted(maps.Keys(l.origins)) {
		if strings.HasPrefix(known, key+keyDelimiter) {
			return l.origins[known]
		}
	}
	return origin{}
}

// check decodes every section that has settings, so that all faults are found at once. If a whole file could not be read, it leaves
// out the faults that Validate finds, because that may be their cause.
func (l *loader) check() {
	for _, settings := range l.settings {
		_, err := settings.decode(l.koanf, !l.broken)
		for _, fault := range Faults(err) {
			if config, hasKey := errors.AsType[*Error](fault); hasKey && config.Source == "" {
				config.Source = l.originOf(config.Key).source
			}
		}
		l.faults = addFaults(l.faults, err)
	}
}

// addFaults adds the faults of err, but none with the key of an earlier one.
func addFaults(all []error, err error) []error {
	for _, fault := range Faults(err) {
		config, hasKey := errors.AsType[*Error](fault)
		if !hasKey || !slices.ContainsFunc(all, func(known error) bool {
			earlier, hasKey := errors.AsType[*Error](known)
			return hasKey && earlier.Key == config.Key
		}) {
			all = append(all, fault)
		}
	}
	return all
}

// Faults returns the errors that were joined by errors.Join.
func Faults(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || errors.Join(joined.Unwrap()...).Error() != err.Error() {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, Faults(one)...)
	}
	return all
}
