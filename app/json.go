package app

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// AppendJSON appends the JSON of v to b, byte for byte that of encoding/json. It takes a fraction of the time for a
// struct of texts, whole numbers and lists of texts with names in json tags, as tokens and most replies are.
func AppendJSON(b []byte, v any) ([]byte, error) {
	value := reflect.ValueOf(v)
	if value.Kind() == reflect.Struct {
		if members := flatMembers(value.Type()); members != nil {
			return appendFlat(b, value, members), nil
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return b, fmt.Errorf("encode reply: %w", err)
	}
	return append(b, text...), nil
}

// flatMember is how a field of a flat struct is written.
type flatMember struct {
	index []int
	name  string // with quotes and colon
	omit  bool   // when it is empty
}

var flatStructs sync.Map // reflect.Type: []flatMember, nil for a struct that is not flat

func flatMembers(t reflect.Type) []flatMember {
	if known, found := flatStructs.Load(t); found {
		return known.([]flatMember)
	}
	members := findFlatMembers(t)
	flatStructs.Store(t, members)
	return members
}

func findFlatMembers(t reflect.Type) (members []flatMember) {
	names := make(map[string]bool)
	for _, field := range reflect.VisibleFields(t) {
		if field.Anonymous && field.Type.Kind() == reflect.Struct && field.Tag == "" {
			continue // its fields follow
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || !isFlat(field.Type) || names[name] || !isSafe(name) || name == "" || name == "-" ||
			options != "" && options != "omitempty" {
			return nil
		}
		names[name] = true
		members = append(members, flatMember{field.Index, `"` + name + `":`, options == "omitempty"})
	}
	if encodesItself(t) {
		return nil
	}
	return members
}

func isFlat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return !encodesItself(t)
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String && !encodesItself(t) && !encodesItself(t.Elem())
	default:
		return false
	}
}

func encodesItself(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(reflect.TypeFor[json.Marshaler]()) || pointer.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

func appendFlat(b []byte, v reflect.Value, members []flatMember) []byte {
	b = append(b, '{')
	first := true
	for _, member := range members {
		field := v.FieldByIndex(member.index)
		if member.omit && isEmpty(field) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendValue(append(b, member.name...), field)
	}
	return append(b, '}')
}

func isEmpty(v reflect.Value) bool {
	if kind := v.Kind(); kind == reflect.String || kind == reflect.Slice {
		return v.Len() == 0
	}
	return v.IsZero()
}

func appendValue(b []byte, v reflect.Value) []byte {
	switch {
	case v.Kind() == reflect.String:
		return appendText(b, v.String())
	case v.CanInt():
		return strconv.AppendInt(b, v.Int(), 10)
	case v.CanUint():
		return strconv.AppendUint(b, v.Uint(), 10)
	case v.IsNil():
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, v.Index(i).String())
	}
	return append(b, ']')
}

// appendText appends a JSON string.
func appendText(b []byte, text string) []byte {
	begin, copied := len(b), 0
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case !escaped[c]:
		case c == '\n': // as in a message to sign
			b = append(append(b, text[copied:i]...), `\n`...)
			copied = i + 1
		default:
			quoted, _ := json.Marshal(text) // any text can be encoded
			return append(b[:begin], quoted...)
		}
	}
	return append(append(b, text[copied:]...), '"')
}

// escaped has the bytes that encoding/json escapes, and all that are not ASCII.
var escaped = func() (table [256]bool) {
	for c := range table {
		table[c] = c < 0x20 || c >= 0x7f || strings.IndexByte(`"\<>&`, byte(c)) >= 0
	}
	return table
}()

func isSafe(text string) bool {
	for i := range len(text) {
		if escaped[text[i]] {
			return false
		}
	}
	return true
}
