package config

import (
	"errors"
	"fmt"
	"strings"
)

const (
	placeholderStart = "${"
	placeholderKind  = "ENV:"
)

var errPlaceholder = errors.New("holds a ${ that is not ${ENV:NAME} or ${ENV:NAME:default}")

// expand replaces the placeholders in the effective values. Values that a later source overrode are not expanded.
func (l *loader) expand() {
	for key, value := range l.koanf.All() {
		if l.originOf(key).literal {
			continue
		}
		expanded, changed := l.expandValue(key, value)
		if !changed {
			continue
		}
		if err := l.koanf.Set(key, expanded); err != nil {
			l.faults = append(l.faults, err)
		}
	}
}

// expandValue returns a value with its placeholders replaced. It does not change lists and maps in place, because they may belong
// to the caller.
func (l *loader) expandValue(key string, value any) (expanded any, changed bool) {
	switch value := value.(type) {
	case string:
		text, err := expandText(value, l.lookup)
		if err != nil {
			l.fault(key, err.Error(), l.originOf(key).source)
			return value, false
		}
		return text, text != value
	case []string:
		return expandList(l, key, value)
	case []any:
		return expandList(l, key, value)
	case []map[string]any:
		return expandList(l, key, value)
	case map[string]any:
		copied := make(map[string]any, len(value))
		for name, inner := range value {
			replaced, innerChanged := l.expandValue(joinKey(key, name), inner)
			copied[name], changed = replaced, changed || innerChanged
		}
		return copied, changed
	}
	return value, false
}

func expandList[T any](l *loader, key string, list []T) (expanded []T, changed bool) {
	expanded = make([]T, len(list))
	for i, item := range list {
		expanded[i] = item // which may be nil: a list item without a value
		if replaced, itemChanged := l.expandValue(fmt.Sprintf("%s[%d]", key, i), item); itemChanged {
			expanded[i], changed = replaced.(T), true
		}
	}
	return expanded, changed
}

func (l *loader) lookup(name string) (value string, set bool) {
	l.used[name] = true
	value, set = l.environ[name]
	return value, set
}

// expandText replaces each ${ENV:NAME} and ${ENV:NAME:default} in text. Placeholders in the inserted values are not replaced.
func expandText(text string, lookup func(string) (string, bool)) (string, error) {
	var whole strings.Builder
	for {
		before, rest, found := strings.Cut(text, placeholderStart)
		whole.WriteString(before)
		if !found {
			return whole.String(), nil
		}
		inside, after, closed := strings.Cut(rest, "}")
		reference, isEnv := strings.CutPrefix(inside, placeholderKind)
		name, fallback, hasFallback := strings.Cut(reference, ":")
		if !closed || !isEnv || !isVariableName(name) || strings.Contains(fallback, placeholderStart) {
			return "", errPlaceholder
		}
		value, set := lookup(name)
		if !set && !hasFallback {
			return "", fmt.Errorf("the environment variable of ${ENV:%s} is not set", name)
		}
		if !set {
			value = fallback
		}
		whole.WriteString(value)
		text = after
	}
}

func isVariableName(name string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
	return name != "" && strings.Contains(letters, name[:1]) && strings.Trim(name, letters+"0123456789") == ""
}
