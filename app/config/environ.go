package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// maxValueFile is the maximum size, in bytes, of a file that SECTION__KEY_FILE names.
const maxValueFile = 64 << 10

const fileSuffix = "_file"

// addEnvironment reads SECTION__KEY, and SECTION__KEY_FILE if the section has a setting for the key and none with the longer name.
func (l *loader) addEnvironment(environ []string) {
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		prefix, rest, hasKey := strings.Cut(name, "__")
		section := strings.ToLower(prefix)
		if !hasKey || !l.sections[section] || prefix != strings.ToUpper(section) {
			continue
		}
		source := "environment variable " + name
		key := section + keyDelimiter + strings.ReplaceAll(strings.ToLower(rest), "__", keyDelimiter)
		if plain, isFile := l.fileKeys[key]; isFile {
			l.addValueFile(plain, name, value)
			continue
		}
		l.add(map[string]any{key: value}, at(source))
	}
}

func (l *loader) addValueFile(key, variable, path string) {
	source := fmt.Sprintf("environment variable %s, file %q", variable, path)
	if _, twice := l.environ[strings.TrimSuffix(variable, strings.ToUpper(fileSuffix))]; twice {
		l.fault(key, "is given twice, with and without _FILE", source)
		return
	}
	l.addContent(key, path, source)
}

// addContent sets a key to the content of a file.
func (l *loader) addContent(key, path, source string) {
	value, err := readValue(path)
	if err != nil {
		l.fault(key, "cannot be read: "+err.Error(), source)
		return
	}
	l.add(map[string]any{key: value}, func(string) origin { return origin{source: source, literal: true} })
}

// readValue returns the content of a file without its last line break.
func readValue(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", pathCause(err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxValueFile+1))
	if err != nil {
		return "", pathCause(err)
	}
	if len(content) > maxValueFile {
		return "", fmt.Errorf("the file has more than %d bytes", maxValueFile)
	}
	text := strings.TrimSuffix(string(content), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}

// pathCause removes the path from an error whose surrounding text contains it already.
func pathCause(err error) error {
	if pathError, hasPath := errors.AsType[*fs.PathError](err); hasPath {
		return pathError.Err
	}
	return err
}

// variables returns the environment variables of all settings, by their name with single underscores.
func (l *loader) variables() map[string]string {
	known := make(map[string]string)
	for _, settings := range l.settings {
		for _, key := range settings.keys {
			name := variableOf(settings.name + keyDelimiter + key)
			for _, variable := range []string{name, name + strings.ToUpper(fileSuffix)} {
				known[strings.ReplaceAll(variable, "__", "_")] = variable
			}
		}
	}
	return known
}

// variableOf returns the environment variable of a key.
func variableOf(key string) string {
	return strings.ToUpper(strings.ReplaceAll(key, keyDelimiter, "__"))
}

// warnOfVariables warns of environment variables without effect: those whose name differs from a known one only by single or double
// underscores, and those of a module that the program does not contain.
func (l *loader) warnOfVariables(environ []string) {
	known := l.variables()
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		prefix, _, hasKey := strings.Cut(name, "__")
		section := strings.ToLower(prefix)
		isSection := hasKey && prefix == strings.ToUpper(section)
		meant := known[strings.ReplaceAll(name, "__", "_")]
		switch {
		case l.used[name] || isSection && l.sections[section] || isServiceLink(value):
		case meant != "" && meant != name:
			l.warn("an environment variable has no effect: section and key are joined by two underscores", meant, name)
		case isSection && slices.Contains(moduleSections, section):
			l.warn("an environment variable has no effect: this program does not contain the module of its section", section, name)
		}
	}
}

func (l *loader) warn(message, name, variable string) {
	l.warnings = append(l.warnings, Warning{message, name, "environment variable " + variable})
}

// isServiceLink reports whether a value is one that Kubernetes sets in variables such as APP_PORT if there is a service called app.
func isServiceLink(value string) bool {
	scheme, _, isURL := strings.Cut(value, "://")
	return isURL && (scheme == "tcp" || scheme == "udp" || scheme == "sctp")
}
