package config

import (
	"math"
	"reflect"
	"strconv"
	"strings"
)

// wrongType is the error for a value that does not fit its key.
func wrongType(key, reason string, value any) error {
	return &Error{Key: key, Reason: reason + Shown(", not ", key, value)}
}

func decodeString(dst reflect.Value, value any, key string) error {
	text := reflect.ValueOf(value)
	if text.Kind() != reflect.String {
		return wrongType(key, "must be text (in YAML, put it in quotes)", value)
	}
	dst.SetString(text.String())
	return nil
}

func decodeBool(dst reflect.Value, value any, key string) error {
	source := reflect.ValueOf(value)
	switch source.Kind() {
	case reflect.Bool:
		dst.SetBool(source.Bool())
		return nil
	case reflect.String:
		if parsed, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(source.String()))); err == nil {
			dst.SetBool(parsed)
			return nil
		}
	}
	return wrongType(key, "must be true or false", value)
}

func decodeInt(dst reflect.Value, value any, key string) error {
	number, ok := wholeNumber(value)
	if !ok {
		return wrongType(key, "must be a whole number"+unitOf(key, " of "), value)
	}
	if dst.OverflowInt(number) {
		return wrongType(key, "is too large a number", value)
	}
	dst.SetInt(number)
	return nil
}

func wholeNumber(value any) (number int64, ok bool) {
	source := reflect.ValueOf(value)
	switch {
	case source.CanInt():
		return source.Int(), true
	case source.CanUint():
		return int64(source.Uint()), source.Uint() <= math.MaxInt64
	case source.CanFloat():
		float := source.Float()
		// 2^63 is the smallest positive float64 that does not fit into an int64.
		whole := float == math.Trunc(float) && float >= math.MinInt64 && float < math.MaxInt64
		return int64(float), whole
	case source.Kind() == reflect.String:
		number, err := strconv.ParseInt(strings.TrimSpace(source.String()), 10, 64)
		return number, err == nil
	}
	return 0, false
}

func decodeFloat(dst reflect.Value, value any, key string) error {
	source := reflect.ValueOf(value)
	number, ok := 0.0, true
	switch {
	case source.CanInt():
		number = float64(source.Int())
	case source.CanUint():
		number = float64(source.Uint())
	case source.CanFloat():
		number = source.Float()
	case source.Kind() == reflect.String:
		parsed, err := strconv.ParseFloat(strings.TrimSpace(source.String()), 64)
		number, ok = parsed, err == nil
	default:
		ok = false
	}
	if !ok || math.IsNaN(number) || math.IsInf(number, 0) || dst.OverflowFloat(number) {
		return wrongType(key, "must be a number"+unitOf(key, " of "), value)
	}
	dst.SetFloat(number)
	return nil
}
