package verify

import (
	"slices"
	"strings"
)

// ScopeCovers reports whether a granted scope is enough for a required one. They are equal, or granted is "*", which
// covers everything, or granted ends in ":*" and required is what stands before it or lies below: "treasury:*" covers
// "treasury", "treasury:read" and "treasury:write:opex", not "treasuryx". An asterisk anywhere else is a plain character.
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
