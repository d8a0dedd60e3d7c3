package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"

	"go.yaml.in/yaml/v3"
)

var (
	yamlLine      = regexp.MustCompile(`line (\d+)`)
	yamlDuplicate = regexp.MustCompile(`line \d+: mapping key "([^"]+)" already defined`)
)

// readYAML reads one YAML document whose top is a mapping. A file that holds
// nothing is an empty configuration.
func readYAML(path string) (map[string]any, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		if path == ConventionalConfigFile && errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			err = pathError.Err // the path is in our own text
		}
		return nil, fmt.Errorf("config file %q: %w", path, err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document any
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("config file %q: %s", path, yamlFault(err))
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("config file %q: holds more than one YAML document", path)
	}
	if document == nil {
		return nil, nil
	}
	values, isMap, err := stringMap(document)
	if err == nil && !isMap {
		err = errors.New("must be a mapping of sections")
	}
	if err != nil {
		return nil, fmt.Errorf("config file %q: %w", path, err)
	}
	return values, nil
}

// yamlFault says where a YAML error is. The parser's own text may quote the file,
// and with it a secret.
func yamlFault(err error) string {
	if duplicate := yamlDuplicate.FindStringSubmatch(err.Error()); duplicate != nil {
		return fmt.Sprintf("%s: key %q is given twice", yamlLine.FindString(err.Error()), duplicate[1])
	}
	if line := yamlLine.FindString(err.Error()); line != "" {
		return "not valid YAML near " + line
	}
	return "not valid YAML"
}
