package verify

import (
	"slices"
	"strings"
)

// ScopeCovers reports whether a granted scope is enough for a required one: if both are equal; if granted is "*"; or if
// granted ends in ":*" and required is the part before that, or below it. "treasury:*" covers "treasury", "treasury:read"
// and "treasury:write:opex", but not "treasuryx". An asterisk elsewhere is an ordinary character.
func ScopeCovers(granted, required string) bool {
	if granted == required || granted == "*" {
		return true
	}
	parent, isGlob := strings.CutSuffix(granted, ":*")
	if !isGlob || parent == "" {
		return false
	}
	rest, below := strings.CutPrefix(required, parent)
	return below && (rest == "" || rest[0] == ':')
}

// coversAny reports whether one of granted covers one of required.
func coversAny(granted, required []string) bool {
	return slices.ContainsFunc(required, func(want string) bool {
		return slices.ContainsFunc(granted, func(have string) bool { return ScopeCovers(have, want) })
	})
}
