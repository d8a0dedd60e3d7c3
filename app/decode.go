package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
)

// MaxJSONBody is the size in bytes of the largest body that DecodeJSON reads.
const MaxJSONBody = 64 << 10

// DecodeJSON reads the request's body, one JSON object, into dst, a pointer to
// a struct whose fields have json tags; a field without a name in its tag is not
// set, and one that is embedded is not supported. Members that dst does not know
// are ignored. It is stricter than encoding/json about the members of that object
// (not about those of objects inside it): "Address" does not set "address", and a
// name given twice is refused instead of the last one winning.
//
// The error is a *Problem: 415 unless the content type is application/json, 413
// for a body above MaxJSONBody, and 400 for a body that is empty, truncated, not
// UTF-8, not one object, followed by anything, or that has a field of the wrong
// type, which the detail names.
func DecodeJSON(w http.ResponseWriter, r *http.Request, dst any) error {
	if err := checkJSONContentType(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	target, err := targetOf(dst)
	if err != nil {
		return err
	}
	buffer := texts.Get().(*[]byte)
	defer wipe(buffer)
	body := bytes.NewBuffer((*buffer)[:0])
	err = readBody(w, r, body)
	*buffer = body.Bytes()
	if err != nil {
		return err
	}
	return target.decode(body.Bytes())
}

// DecodeObject decodes text, one JSON object, into dst by the rules of DecodeJSON.
func DecodeObject(text []byte, dst any) error {
	target, err := targetOf(dst)
	if err != nil {
		return err
	}
	return target.decode(text)
}

// texts are buffers, *[]byte, for the bodies of requests and replies. Nothing of one is kept after its use.
var texts = sync.Pool{New: func() any { return new([]byte) }}

// wipe gives a buffer back. It may have held a password or a token.
func wipe(buffer *[]byte) {
	clear(*buffer)
	texts.Put(buffer)
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
	if skipSpace(into.Bytes(), 0) == into.Len() {
		return badBody("body_empty", "request body is empty")
	}
	return nil
}

func bodyTooLarge() *Problem {
	return NewProblem(http.StatusRequestEntityTooLarge, "body_too_large",
		fmt.Sprintf("request body is larger than %d bytes", MaxJSONBody))
}

// objectProblem explains why body is not one JSON object.
func objectProblem(body []byte) *Problem {
	var value json.RawMessage
	switch err := json.NewDecoder(bytes.NewReader(body)).Decode(&value); {
	case json.Valid(body):
		return badBody("invalid_json", "request body must be a JSON object")
	case err == nil && bytes.HasPrefix(value, []byte{'{'}):
		return badBody("trailing_data", "request body has data after its JSON object")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return badBody("invalid_json", "request body ends before its JSON object does")
	default:
		return badBody("invalid_json", "request body is not valid JSON")
	}
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
