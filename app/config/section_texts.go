package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// FlatTexts returns the values of a section as texts, by name. The names can be any. A name may have dots, which a configuration
// reads as levels: {"a": {"b": 1}} is "a.b" with "1". Each value that is no text, number or boolean is an *Error, whose key
// is that of the section, a dot and the name; so is a text with white space or quotes around it, or with a control character.
func FlatTexts(key string, section map[string]any) (map[string]string, error) {
	all := make(map[string]string, len(section))
	err := flattenTexts(all, key, "", section)
	return all, err
}

func flattenTexts(into map[string]string, key, before string, level map[string]any) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(level)) {
		switch value := level[name].(type) {
		case map[string]any:
			faults = append(faults, flattenTexts(into, key, before+name+".", value))
		case string:
			into[before+name] = value
			faults = append(faults, checkText(key+"."+before+name, value))
		case bool, int, int64, uint64, float64:
			into[before+name] = fmt.Sprint(value)
		default:
			faults = append(faults, &Error{Key: key + "." + before + name, Reason: "must be a text, a number, true or false"})
		}
	}
	return errors.Join(faults...)
}
