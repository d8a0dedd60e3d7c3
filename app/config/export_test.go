package config

import (
	"maps"
	"slices"
)

// PythonNames are the sections and keys of the Python server that the start refuses with the name of what replaces them.
func PythonNames() []string {
	return slices.Concat(slices.Collect(maps.Keys(pythonSections)), slices.Collect(maps.Keys(pythonKeys)))
}
