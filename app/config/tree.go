package config

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// keyTree splits dotted keys into nested maps, and reports conflicts.
type keyTree struct {
	fault func(key, reason string)
}

// nest copies values into dst and splits dotted keys. path is the key of dst itself.
func (t keyTree) nest(dst, values map[string]any, path string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		t.place(dst, strings.Split(key, keyDelimiter), values[key], path)
	}
}

func (t keyTree) place(dst map[string]any, parts []string, value any, path string) {
	path = joinKey(path, parts[0])
	if parts[0] == "" {
		t.fault(path, "a part of the key is empty")
		return
	}
	inner, isMap, err := stringMap(value)
	if err != nil {
		t.fault(path, err.Error())
		return
	}
	present, exists := dst[parts[0]]
	if len(parts) == 1 && !isMap {
		if exists {
			t.fault(path, "is given twice")
			return
		}
		dst[parts[0]] = value
		return
	}
	if !exists {
		present = make(map[string]any)
		dst[parts[0]] = present
	}
	child, ok := present.(map[string]any)
	switch {
	case !ok:
		t.fault(path, "is given twice")
	case len(parts) > 1:
		t.place(child, parts[1:], value, path)
	default:
		t.nest(child, inner, path)
	}
}

func joinKey(path, key string) string {
	if path == "" {
		return key
	}
	return path + keyDelimiter + key
}

// stringMap returns value as a map[string]any if it is a map of any type.
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
			return nil, true, errors.New("has a key that is not text")
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
