package jose

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is the maximum nesting of objects and lists in a token's JSON.
const MaxDepth = 32

// ParseObject parses one JSON object (RFC 8259) strictly, as signed documents require. It returns [ErrMalformed] for
// a repeated member name at any depth, invalid UTF-8, a lone surrogate, a number beyond a float64, nesting deeper
// than [MaxDepth] and anything after the object. Values are map[string]any, []any, string, float64, bool and nil.
func ParseObject(text []byte) (map[string]any, error) {
	var object map[string]any
	switch err := json.Unmarshal(text, &object); {
	case err != nil:
		return nil, fmt.Errorf("%w: %s", ErrMalformed, fault(err))
	case object == nil: // null
		return nil, fmt.Errorf("%w: not a JSON object", ErrMalformed)
	case nestsDeeper(object, MaxDepth):
		return nil, fmt.Errorf("%w: JSON nests deeper than %d levels", ErrMalformed, MaxDepth)
	}
	return object, nil
}

// fault says what is wrong. Unlike the decoder's own messages, it does not quote the text.
func fault(err error) string {
	var broken *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "a JSON object has a member twice"
	case errors.As(err, &broken):
		return fmt.Sprintf("broken JSON at byte %d", broken.ByteOffset)
	}
	return "not a JSON object"
}

func nestsDeeper(value any, levels int) bool {
	deeper := func(inner any) bool { return nestsDeeper(inner, levels-1) }
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			if levels > 0 && deeper(inner) {
				return true
			}
		}
		return levels == 0
	case []any:
		return levels == 0 || slices.ContainsFunc(value, deeper)
	}
	return false
}
