package config

import (
	"errors"
	"fmt"
	"iter"
	stdmaps "maps"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/maps"
	"github.com/knadh/koanf/v2"
)

// Section decodes the section with the given name over defaults, a struct whose fields have `koanf:"key"` tags, and then calls
// Validate if T or *T has that method.
//
// Decoding is strict: an unknown key and a value of another type are errors. The exceptions are for the environment: text is
// converted to a number or a boolean, and to a list if its items are separated by commas. A number without a fraction (60.0) is a
// valid integer. An empty text sets a string or a list to empty, and is an error for all other types.
//
// The error joins all faults, each an *Error if it concerns one key. It contains the full key, and the value unless it is a
// secret.
//
// Section works with any koanf, not only with that of New.
func Section[T any](k *koanf.Koanf, name string, defaults T) (T, error) {
	return decodeSection(k, name, defaults, true)
}

func decodeSection[T any](k *koanf.Koanf, name string, defaults T, validate bool) (T, error) {
	settings := defaults
	values, err := sectionValues(k, name)
	if err != nil {
		return defaults, err
	}
	faults := addFaults(nil, decodeStruct(reflect.ValueOf(&settings).Elem(), values, name))
	if validator, ok := any(&settings).(interface{ Validate() error }); ok && validate {
		// For a key that could not be decoded, Validate saw the default, so its fault does not count.
		faults = addFaults(faults, qualify(name, validator.Validate()))
	}
	if faults != nil {
		return defaults, errors.Join(faults...)
	}
	return settings, nil
}

// sectionValues returns the values of a section as nested maps, whether its keys were nested or joined by dots.
func sectionValues(k *koanf.Koanf, name string) (map[string]any, error) {
	flat := make(map[string]any)
	for key, value := range k.All() {
		if rest, below := strings.CutPrefix(key, name+k.Delim()); below {
			flat[rest] = value
			continue
		}
		if key != name {
			continue
		}
		if inner, isMap := value.(map[string]any); value != nil && (!isMap || len(inner) > 0) {
			return nil, &Error{Key: name, Reason: "must be a section of keys"}
		}
	}
	return maps.Unflatten(flat, k.Delim()), nil
}

func decodeStruct(dst reflect.Value, values map[string]any, path string) error {
	if dst.Kind() != reflect.Struct {
		return fmt.Errorf("%s: settings are a %s, not a struct", path, dst.Type())
	}
	fields := make(map[string]reflect.Value)
	for key, field := range settingsFields(dst.Type()) {
		fields[key] = dst.FieldByIndex(field.Index)
	}
	known := slices.Sorted(stdmaps.Keys(fields))
	var faults []error
	for _, key := range slices.Sorted(stdmaps.Keys(values)) {
		full := path + "." + key
		if field, ok := fields[key]; ok {
			faults = append(faults, decodeValue(field, values[key], full))
		} else {
			faults = append(faults, unknownKey(full, key, known))
		}
	}
	return errors.Join(faults...)
}

// settingsFields returns the fields of a struct that have a key, with the key, including those of embedded structs.
func settingsFields(t reflect.Type) iter.Seq2[string, reflect.StructField] {
	return func(yield func(string, reflect.StructField) bool) {
		for _, field := range reflect.VisibleFields(t) {
			if key := field.Tag.Get("koanf"); key != "" && key != "-" && !yield(key, field) {
				return
			}
		}
	}
}

func decodeValue(dst reflect.Value, value any, key string) error {
	if value == nil {
		return &Error{Key: key, Reason: `has no value; write "" or [] for an empty one`}
	}
	switch dst.Kind() {
	case reflect.String:
		return decodeString(dst, value, key)
	case reflect.Bool:
		return decodeBool(dst, value, key)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return decodeInt(dst, value, key)
	case reflect.Float32, reflect.Float64:
		return decodeFloat(dst, value, key)
	case reflect.Slice:
		return decodeList(dst, value, key)
	case reflect.Map:
		return decodeMap(dst, value, key)
	case reflect.Struct:
		values, isMap := value.(map[string]any)
		if !isMap {
			return wrongType(key, "must be a section of keys", value)
		}
		return decodeStruct(dst, values, key)
	case reflect.Interface:
		dst.Set(reflect.ValueOf(value)) // any value, such as that of an additional claim
		return nil
	default:
		return fmt.Errorf("%s: settings of type %s are not supported", key, dst.Type())
	}
}

// TextOrList is a setting that is a text or, in a file, a list of texts. A text is one item, including its commas and spaces.
type TextOrList []string

func decodeList(dst reflect.Value, value any, key string) error {
	source := reflect.ValueOf(value)
	switch {
	case source.Kind() != reflect.String:
	case dst.Type() != reflect.TypeFor[TextOrList]():
		source = reflect.ValueOf(splitList(source.String()))
	case source.String() == "":
		source = reflect.ValueOf([]string{})
	default:
		source = reflect.ValueOf([]string{source.String()})
	}
	if source.Kind() != reflect.Slice {
		return wrongType(key, "must be a list, or text with commas between its items", value)
	}
	list := reflect.MakeSlice(dst.Type(), source.Len(), source.Len())
	var faults []error
	for i := range source.Len() {
		faults = append(faults, decodeValue(list.Index(i), source.Index(i).Interface(), fmt.Sprintf("%s[%d]", key, i)))
	}
	dst.Set(list)
	return errors.Join(faults...)
}

// splitList splits "a, b" at the commas and drops empty items.
func splitList(text string) []string {
	items := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func decodeMap(dst reflect.Value, value any, key string) error {
	values, isMap := value.(map[string]any)
	if !isMap || dst.Type().Key().Kind() != reflect.String {
		return wrongType(key, "must be a section of keys", value)
	}
	decoded := reflect.MakeMapWithSize(dst.Type(), len(values))
	var faults []error
	for _, name := range slices.Sorted(stdmaps.Keys(values)) {
		element := reflect.New(dst.Type().Elem()).Elem()
		faults = append(faults, decodeValue(element, values[name], key+"."+name))
		decoded.SetMapIndex(reflect.ValueOf(name).Convert(dst.Type().Key()), element)
	}
	dst.Set(decoded)
	return errors.Join(faults...)
}

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
	for _, name := range slices.Sorted(stdmaps.Keys(level)) {
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
