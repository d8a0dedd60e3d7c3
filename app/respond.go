package app

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
)

// jsonContentType is shared by all replies.
var jsonContentType = []string{"application/json"}

// WriteJSON writes v as application/json with the status. If v cannot be encoded, it returns the error and has written nothing,
// so that the caller can still reply with a problem. The members of a map are written in the order of their names.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body := bodies.Get().(*bytes.Buffer)
	defer wipe(body)
	if err := json.MarshalWrite(body, v, json.Deterministic(true)); err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	w.Header()["Content-Type"] = jsonContentType
	w.WriteHeader(status)
	// If this write fails, the client has disconnected.
	_, _ = w.Write(body.Bytes())
	return nil
}
