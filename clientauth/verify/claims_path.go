package verify

import (
	"slices"
	"strconv"
	"strings"
)

// at returns the claim at a path: the claim with that name, or a member of nested objects whose names are joined by dots. A
// name may itself contain dots, as in https://example.com/roles or kubernetes.io.
func (c claimSet) at(path string) any {
	if value, found := c[path]; found {
		return value
	}
	for end := strings.LastIndexByte(path, '.'); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		if inner, isObject := c[path[:end]].(map[string]any); isObject {
			if value := claimSet(inner).at(path[end+1:]); value != nil {
				return value
			}
		}
	}
	return nil
}

// checkRequired returns an error unless each claim, given by its path, has the required value.
func (c claimSet) checkRequired(claims map[string]string) error {
	for path, want := range claims {
		value := c.at(path)
		if value == nil {
			return explain(ErrMissingClaim, missingClaim, path)
		}
		list, isList := value.([]any)
		if !isList {
			list = []any{value}
		}
		if !slices.ContainsFunc(list, func(item any) bool { text, isScalar := scalar(item); return isScalar && text == want }) {
			return explain(ErrMissingClaim, "claim %q is not %q", path, want)
		}
	}
	return nil
}

// scalar formats a text, a number or a boolean.
func scalar(value any) (text string, isScalar bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(value), true
	}
	return "", false
}
