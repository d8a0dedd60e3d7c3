package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	yamlLine      = regexp.MustCompile(`line (\d+)`)
	yamlDuplicate = regexp.MustCompile(`line \d+: mapping key "([^"]+)" already defined`)
)

func (l *loader) addFile(path string) {
	values, lines, err := readYAML(path)
	if err != nil {
		l.broken = true
		l.faults = append(l.faults, fmt.Errorf("config file %q: %w", path, err))
		return
	}
	where := func(key string) origin {
		source := path
		if line := lines[key]; line != 0 {
			source += ":" + strconv.Itoa(line)
		}
		return origin{source: source}
	}
	l.add(values, where)
	l.takeValueFiles(path)
}

// takeValueFiles replaces each SECTION.KEY_file of the file at path by SECTION.KEY with the content of the named file, as
// SECTION__KEY_FILE does in the environment.
func (l *loader) takeValueFiles(path string) {
	for _, settings := range l.settings {
		for _, key := range settings.keys {
			key = joinKey(settings.name, key)
			named := key + fileSuffix
			value, source := l.koanf.Get(named), l.originOf(named).source
			if l.fileKeys[named] == "" || value == nil {
				continue
			}
			l.koanf.Delete(named)
			if strings.HasPrefix(l.originOf(key).source, path+":") {
				l.fault(key, "is given twice, with and without "+fileSuffix, source)
				continue
			}
			l.addNamedFile(key, value, source)
		}
	}
}

// addNamedFile reads the value of key from the file that value names.
func (l *loader) addNamedFile(key string, value any, source string) {
	text, isText := value.(string)
	if !isText {
		l.fault(key+fileSuffix, "must be the path of a file", source)
		return
	}
	path, err := expandText(text, l.lookup)
	if err != nil {
		l.fault(key+fileSuffix, err.Error(), source)
		return
	}
	l.addContent(key, path, fmt.Sprintf("%s, file %q", source, path))
}

// readYAML reads one YAML document, which must be a mapping, and the line of each of its keys. An empty file is an empty
// configuration.
func readYAML(path string) (values map[string]any, lines map[string]int, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		if path == ConventionalFile && errors.Is(err, fs.ErrNotExist) {
			return nil, nil, nil
		}
		return nil, nil, pathCause(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var node yaml.Node
	if err := decoder.Decode(&node); errors.Is(err, io.EOF) {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, yamlFault(err)
	}
	var document any
	if err := node.Decode(&document); err != nil {
		return nil, nil, yamlFault(err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("holds more than one YAML document")
	}
	if document == nil {
		return nil, nil, nil
	}
	values, isMap, err := stringMap(document)
	if err == nil && !isMap {
		err = errors.New("must be a mapping of sections")
	}
	if err != nil {
		return nil, nil, err
	}
	lines = make(map[string]int)
	for _, top := range node.Content {
		noteLines(lines, top, "")
	}
	return values, lines, nil
}

// noteLines records the line of each key and list item below a node. It does not follow an alias, which could expand to far more
// than the file contains.
func noteLines(lines map[string]int, node *yaml.Node, key string) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			name, value := node.Content[i], node.Content[i+1]
			inner := joinKey(key, name.Value)
			for part := inner; part != key && part != ""; part = part[:max(strings.LastIndex(part, keyDelimiter), 0)] {
				lines[part] = cmp.Or(lines[part], name.Line)
			}
			noteLines(lines, value, inner)
		}
	case yaml.SequenceNode:
		for i, item := range node.Content {
			inner := fmt.Sprintf("%s[%d]", key, i)
			lines[inner] = item.Line
			noteLines(lines, item, inner)
		}
	}
}

// yamlFault returns an error with the place of a YAML error. It omits the parser's own text, which may quote a secret of the file.
func yamlFault(err error) error {
	if duplicate := yamlDuplicate.FindStringSubmatch(err.Error()); duplicate != nil {
		return fmt.Errorf("%s: key %q is given twice", yamlLine.FindString(err.Error()), duplicate[1])
	}
	if line := yamlLine.FindString(err.Error()); line != "" {
		return fmt.Errorf("not valid YAML near %s", line)
	}
	return errors.New("not valid YAML")
}
