package app

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/maps"
	"github.com/knadh/koanf/v2"
)

// Section decodes the section called name over defaults, a struct whose fields
// carry `koanf:"key"` tags, and then calls Validate if T or *T has it.
//
// Decoding is strict. A key that T does not have is refused, and so is a value of
// another type, with these exceptions, which the environment needs: text becomes
// a number or a boolean when it spells one, and a list when it holds items
// separated by commas. A number without a fraction (60.0) fits an integer; an
// empty text empties a string or a list and is an error for everything else.
//
// Errors are *ConfigError where one key is at fault. They name the key in full
// and never print a value of the wrong type, which may be a misplaced secret.
//
// Section works with any koanf, not only with one that New made.
func Section[T any](k *koanf.Koanf, name string, defaults T) (T, error) {
	settings := defaults
	values, err := sectionValues(k, name)
	if err != nil {
		return defaults, err
	}
	if err := decodeStruct(reflect.ValueOf(&settings).Elem(), values, name); err != nil {
		return defaults, err
	}
	if validator, ok := any(&settings).(interface{ Validate() error }); ok {
		if err := validator.Validate(); err != nil {
			return defaults, qualify(name, err)
		}
	}
	return settings, nil
}

// sectionValues returns what k holds below name as nested maps, however its
// sources spelled the keys.
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
			return nil, &ConfigError{Key: name, Reason: "must be a section of keys"}
		}
	}
	return maps.Unflatten(flat, k.Delim()), nil
}

func decodeStruct(dst reflect.Value, values map[string]any, path string) error {
	if dst.Kind() != reflect.Struct {
		return fmt.Errorf("%s: settings are a %s, not a struct", path, dst.Type())
	}
	fields := make(map[string]reflect.Value)
	for i := range dst.NumField() {
		if key := dst.Type().Field(i).Tag.Get("koanf"); key != "" && key != "-" {
			fields[key] = dst.Field(i)
		}
	}
	for _, key := range sortedKeys(values) {
		full := path + "." + key
		field, known := fields[key]
		if !known {
			return &ConfigError{Key: full, Reason: "unknown key"}
		}
		if err := decodeValue(field, values[key], full); err != nil {
			return err
		}
	}
	return nil
}

func decodeValue(dst reflect.Value, value any, key string) error {
	if value == nil {
		return &ConfigError{Key: key, Reason: `has no value; write "" or [] for an empty one`}
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
			return &ConfigError{Key: key, Reason: "must be a section of keys"}
		}
		return decodeStruct(dst, values, key)
	default:
		return fmt.Errorf("%s: settings of type %s are not supported", key, dst.Type())
	}
}

func decodeList(dst reflect.Value, value any, key string) error {
	source := reflect.ValueOf(value)
	if source.Kind() == reflect.String {
		source = reflect.ValueOf(splitList(source.String()))
	}
	if source.Kind() != reflect.Slice {
		return &ConfigError{Key: key, Reason: "must be a list, or text with commas between its items"}
	}
	list := reflect.MakeSlice(dst.Type(), source.Len(), source.Len())
	for i := range source.Len() {
		if err := decodeValue(list.Index(i), source.Index(i).Interface(), fmt.Sprintf("%s[%d]", key, i)); err != nil {
			return err
		}
	}
	dst.Set(list)
	return nil
}

// splitList takes "a, b" apart; empty items are dropped.
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
		return &ConfigError{Key: key, Reason: "must be a section of keys"}
	}
	decoded := reflect.MakeMapWithSize(dst.Type(), len(values))
	for _, name := range sortedKeys(values) {
		element := reflect.New(dst.Type().Elem()).Elem()
		if err := decodeValue(element, values[name], key+"."+name); err != nil {
			return err
		}
		decoded.SetMapIndex(reflect.ValueOf(name).Convert(dst.Type().Key()), element)
	}
	dst.Set(decoded)
	return nil
}

func sortedKeys(values map[string]any) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
