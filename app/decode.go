package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"
)

// MaxJSONBody is the maximum size, in bytes, of a body that DecodeJSON reads.
const MaxJSONBody = 64 << 10

// DecodeJSON reads the request's body, one JSON object, into dst, a pointer to a struct whose fields have json tags. Unknown
// members are ignored. Names are case-sensitive ("Address" does not set "address"). A name that is given twice in one object,
// invalid UTF-8 and data after the object are refused. null sets the zero value.
//
// The error is a *Problem: 415 unless the content type is application/json, 413 for a body above MaxJSONBody, and 400 for
// a body that is empty, truncated, not one object, or that has a field of the wrong type, which the detail names.
func DecodeJSON(w http.ResponseWriter, r *http.Request, dst any) error {
	if err := checkJSONContentType(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	body := bodies.Get().(*bytes.Buffer)
	defer wipe(body)
	if err := readBody(w, r, body); err != nil {
		return err
	}
	return DecodeObject(body.Bytes(), dst)
}

// DecodeOptionalJSON is DecodeJSON for a body that may be absent: then dst is unchanged, and no content type is needed.
func DecodeOptionalJSON(w http.ResponseWriter, r *http.Request, dst any) error {
	if r.Body == nil || r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength < 0 {
		var first [1]byte
		n, err := io.ReadFull(r.Body, first[:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(first[:n]), r.Body), r.Body}
	}
	return DecodeJSON(w, r, dst)
}

// DecodeObject decodes text, one JSON object, into dst by the rules of DecodeJSON.
func DecodeObject(text []byte, dst any) error {
	if !isObject(text) {
		return objectProblem(text, nil)
	}
	if err := json.Unmarshal(text, dst); err != nil {
		return objectProblem(text, err)
	}
	return nil
}

func isObject(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, jsonSpace), []byte{'{'})
}

// jsonSpace is the white space of JSON (RFC 8259, section 2).
const jsonSpace = " \t\r\n"

// bodies are buffers for the bodies of requests and replies. They are wiped after use.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// wipe clears a buffer, which may contain a password or a token, and returns it to the pool.
func wipe(buffer *bytes.Buffer) {
	clear(buffer.Bytes())
	buffer.Reset()
	bodies.Put(buffer)
}

func checkJSONContentType(value string) error {
	if value == "application/json" {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(value)
	charset, hasCharset := params["charset"]
	if err != nil || mediaType != "application/json" || hasCharset && !strings.EqualFold(charset, "utf-8") {
		return NewProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Type must be application/json")
	}
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request, into *bytes.Buffer) error {
	if r.ContentLength > MaxJSONBody {
		return bodyTooLarge()
	}
	if r.Body == nil {
		return badBody("body_empty", "request body is empty")
	}
	if r.ContentLength > 0 {
		into.Grow(int(r.ContentLength) + bytes.MinRead) // in one piece, with room to find the end
	}
	if _, err := into.ReadFrom(http.MaxBytesReader(w, r.Body, MaxJSONBody)); err != nil {
		var limit *http.MaxBytesError
		var httpError *echo.HTTPError // what a host's own echo body limit returns
		if errors.As(err, &limit) || errors.As(err, &httpError) && httpError.Code == http.StatusRequestEntityTooLarge {
			return bodyTooLarge()
		}
		return badBody("body_unreadable", "request body could not be read to its end")
	}
	if len(bytes.TrimLeft(into.Bytes(), jsonSpace)) == 0 {
		return badBody("body_empty", "request body is empty")
	}
	return nil
}

func bodyTooLarge() *Problem {
	return NewProblem(http.StatusRequestEntityTooLarge, "body_too_large",
		fmt.Sprintf("request body is larger than %d bytes", MaxJSONBody))
}

// objectProblem returns the problem for a decoding error. For a mistake in the program, such as a dst that is no pointer, it
// returns an error that is not a problem.
func objectProblem(text []byte, err error) error {
	syntax, isSyntax := errors.AsType[*jsontext.SyntacticError](err)
	meaning, isMeaning := errors.AsType[*json.SemanticError](err)
	switch {
	case !utf8.Valid(text):
		return badBody("invalid_json", "request body is not valid UTF-8")
	case !isObject(text) && jsontext.Value(text).IsValid():
		return badBody("invalid_json", "request body must be a JSON object")
	case !isObject(text):
		return badBody("invalid_json", "request body is not valid JSON")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return badBody("invalid_json", "request body ends before its JSON object does")
	case isSyntax && errors.Is(err, jsontext.ErrDuplicateName):
		return badBody("duplicate_field", "field "+printable(syntax.JSONPointer.LastToken())+" is given twice")
	case isSyntax && hasTrailingData(text):
		return badBody("trailing_data", "request body has data after its JSON object")
	case isSyntax:
		return badBody("invalid_json", "request body is not valid JSON")
	case isMeaning && meaning.JSONPointer != "":
		return fieldProblem(meaning)
	default:
		return fmt.Errorf("decode JSON: %w", err)
	}
}

func hasTrailingData(text []byte) bool {
	_, err := jsontext.NewDecoder(bytes.NewBuffer(text)).ReadValue()
	return err == nil
}

// fieldProblem names the field that has the wrong type.
func fieldProblem(err *json.SemanticError) *Problem {
	field := strings.Trim(printable(strings.Join(slices.Collect(err.JSONPointer.Tokens()), ".")), `"`)
	if err.GoType == nil || decodesItself(err.GoType) {
		// The type's own error may contain the value, so it is not for clients.
		return badBody("invalid_value", "field "+field+" has an invalid value")
	}
	return badBody("wrong_type", fmt.Sprintf("field %s must be %s", field, jsonTypeName(err.GoType)))
}

func decodesItself(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && !t.Field(0).IsExported() // time.Time and its like
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

func badBody(code, detail string) *Problem {
	return NewProblem(http.StatusBadRequest, code, detail)
}

// printable makes a client's text safe and short enough for a message.
func printable(text string) string {
	const longest = 64
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
