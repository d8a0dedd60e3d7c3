package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// MaxJSONBody is the size in bytes of the largest body that DecodeJSON reads.
const MaxJSONBody = 64 << 10

// DecodeJSON reads the request's body, one JSON object, into dst, a pointer to
// a struct with json tags. Fields that dst does not know are ignored. It is
// stricter than encoding/json about the fields of that object (not about those of
// objects inside it): "Address" does not set "address", and a field given twice
// is refused instead of the last one winning.
//
// The error is a *Problem: 415 unless the content type is application/json, 413
// for a body above MaxJSONBody, and 400 for a body that is empty, truncated, not
// UTF-8, not one object, followed by anything, or that has a field of the wrong
// type, which the detail names.
func DecodeJSON(w http.ResponseWriter, r *http.Request, dst any) error {
	if err := checkJSONContentType(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	object, err := strictObject(body, taggedNames(dst))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(object, dst); err != nil {
		return fieldProblem(err)
	}
	return nil
}

func checkJSONContentType(value string) error {
	mediaType, params, err := mime.ParseMediaType(value)
	charset, hasCharset := params["charset"]
	if err != nil || mediaType != "application/json" || hasCharset && !strings.EqualFold(charset, "utf-8") {
		return NewProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Type must be application/json")
	}
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := NewProblem(http.StatusRequestEntityTooLarge, "body_too_large",
		fmt.Sprintf("request body is larger than %d bytes", MaxJSONBody))
	if r.ContentLength > MaxJSONBody {
		return nil, tooLarge
	}
	if r.Body == nil {
		return nil, badBody("body_empty", "request body is empty")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxJSONBody))
	if err != nil {
		var limit *http.MaxBytesError
		var httpError *echo.HTTPError // what a host's own echo body limit returns
		if errors.As(err, &limit) || errors.As(err, &httpError) && httpError.Code == http.StatusRequestEntityTooLarge {
			return nil, tooLarge
		}
		return nil, badBody("body_unreadable", "request body could not be read to its end")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, badBody("body_empty", "request body is empty")
	}
	if !utf8.Valid(body) {
		return nil, badBody("invalid_json", "request body is not valid UTF-8")
	}
	return body, nil
}

// strictObject checks that body is exactly one object without a repeated
// field, and returns it without the fields that encoding/json would take for
// one of names although their letter case differs.
func strictObject(body []byte, names []string) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if first, err := decoder.Token(); err != nil {
		return nil, syntaxProblem(err)
	} else if first != json.Delim('{') {
		return nil, badBody("invalid_json", "request body must be a JSON object")
	}
	object := bytes.NewBuffer(make([]byte, 0, len(body)))
	seen := make(map[string]bool)
	object.WriteByte('{')
	for decoder.More() {
		name, value, err := nextField(decoder)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, badBody("duplicate_field", fmt.Sprintf("field %s is given twice", printable(name)))
		}
		seen[name] = true
		if !slices.Contains(names, name) && containsFold(names, name) {
			continue
		}
		appendField(object, name, value)
	}
	object.WriteByte('}')
	if _, err := decoder.Token(); err != nil {
		return nil, syntaxProblem(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, badBody("trailing_data", "request body has data after its JSON object")
	}
	return object.Bytes(), nil
}

func nextField(decoder *json.Decoder) (name string, value json.RawMessage, err error) {
	token, err := decoder.Token()
	if err != nil {
		return "", nil, syntaxProblem(err)
	}
	name, _ = token.(string)
	if err := decoder.Decode(&value); err != nil {
		return "", nil, syntaxProblem(err)
	}
	return name, value, nil
}

func appendField(object *bytes.Buffer, name string, value json.RawMessage) {
	if object.Len() > 1 {
		object.WriteByte(',')
	}
	quoted, _ := json.Marshal(name) // a string always encodes
	object.Write(quoted)
	object.WriteByte(':')
	object.Write(value)
}

// taggedNames returns the names that dst's json tags give.
func taggedNames(dst any) []string {
	pointer := reflect.TypeOf(dst)
	if pointer == nil || pointer.Kind() != reflect.Pointer || pointer.Elem().Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for _, field := range reflect.VisibleFields(pointer.Elem()) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// containsFold folds as encoding/json does, for which "addre\u017fs" is "address".
func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(known string) bool { return strings.EqualFold(known, name) })
}

func fieldProblem(err error) error {
	var badTarget *json.InvalidUnmarshalError
	if errors.As(err, &badTarget) {
		return fmt.Errorf("decode request: %w", err)
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return badBody("wrong_type", fmt.Sprintf("field %s must be %s", wrongType.Field, jsonTypeName(wrongType.Type)))
	}
	// An UnmarshalJSON of the struct's own refused its value, and its text is not for clients.
	return badBody("invalid_value", "request body has a field with an invalid value")
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

func syntaxProblem(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badBody("invalid_json", "request body ends before its JSON object does")
	}
	return badBody("invalid_json", "request body is not valid JSON")
}

func badBody(code, detail string) *Problem {
	return NewProblem(http.StatusBadRequest, code, detail)
}

// printable makes text of a client's safe and short enough for a message.
func printable(text string) string {
	const longest = 64
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
