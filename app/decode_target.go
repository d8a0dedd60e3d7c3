package app

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// target is a struct that a body is decoded into.
type target struct {
	value  reflect.Value
	fields map[string]targetField // by the name in the json tag
}

type targetField struct {
	index int
	kind  targetKind
}

// targetKind is how a field is set: a text and a whole number, which most are, without encoding/json.
type targetKind int

const (
	anyKind targetKind = iota
	textKind
	wholeKind
)

var targetFields sync.Map // reflect.Type of a struct: map[string]targetField

// targetOf returns an error for what is no pointer to a struct of tagged fields, a mistake of the program.
func targetOf(dst any) (target, error) {
	pointer := reflect.ValueOf(dst)
	if pointer.Kind() != reflect.Pointer || pointer.IsNil() || pointer.Elem().Kind() != reflect.Struct {
		return target{}, fmt.Errorf("app: decode request: %T is no pointer to a struct", dst)
	}
	t := target{value: pointer.Elem()}
	if known, found := targetFields.Load(t.value.Type()); found {
		t.fields = known.(map[string]targetField)
		return t, nil
	}
	fields, err := fieldsOf(t.value.Type())
	if err != nil {
		return target{}, err
	}
	targetFields.Store(t.value.Type(), fields)
	t.fields = fields
	return t, nil
}

func fieldsOf(t reflect.Type) (map[string]targetField, error) {
	fields := make(map[string]targetField, t.NumField())
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous || strings.Contains(options, "string"):
			return nil, fmt.Errorf("app: decode request: %s.%s: embedded fields and the option string are not supported", t, field.Name)
		case name == "" || name == "-" || !field.IsExported():
			continue
		}
		fields[name] = targetField{i, kindOf(field.Type)}
	}
	return fields, nil
}

func kindOf(t reflect.Type) targetKind {
	switch zero := reflect.Zero(t); {
	case decodesItself(t):
		return anyKind
	case zero.Kind() == reflect.String:
		return textKind
	case zero.CanInt(), zero.CanUint():
		return wholeKind
	default:
		return anyKind
	}
}

func decodesItself(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(reflect.TypeFor[json.Unmarshaler]()) || pointer.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// decode sets the fields of which text has a member. An absent one and null leave a field as it is.
func (t target) decode(text []byte) error {
	var room [fewMembers]member
	members, err := membersOf(text, room[:0])
	if err != nil {
		return err
	}
	for i := range members {
		m := &members[i]
		field, known := t.fields[string(m.name)]
		if !known || field.kind.set(t.value.Field(field.index), m) {
			continue
		}
		if err := json.Unmarshal(m.value, t.value.Field(field.index).Addr().Interface()); err != nil {
			return fieldProblem(string(m.name), err)
		}
	}
	return nil
}

// set sets a field, and reports whether it could: encoding/json does the rest, and says what is wrong.
func (k targetKind) set(field reflect.Value, m *member) bool {
	switch {
	case k == textKind && m.plain:
		field.SetString(string(m.value[1 : len(m.value)-1]))
		return true
	case k == textKind && m.value[0] == '"':
		if text, done := unescape(m.value); done {
			field.SetString(text)
			return true
		}
	case k == wholeKind && field.CanInt():
		if number, err := strconv.ParseInt(string(m.value), 10, field.Type().Bits()); err == nil {
			field.SetInt(number)
			return true
		}
	case k == wholeKind:
		if number, err := strconv.ParseUint(string(m.value), 10, field.Type().Bits()); err == nil {
			field.SetUint(number)
			return true
		}
	}
	return false
}

func fieldProblem(name string, err error) error {
	var wrongType *json.UnmarshalTypeError
	if !errors.As(err, &wrongType) {
		// An UnmarshalJSON of the field's own refused the value, and its text is not for clients.
		return badBody("invalid_value", "request body has a field with an invalid value")
	}
	if wrongType.Field != "" {
		name += "." + wrongType.Field
	}
	return badBody("wrong_type", fmt.Sprintf("field %s must be %s", name, jsonTypeName(wrongType.Type)))
}

func jsonTypeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number within range"
	default:
		return "an object"
	}
}
