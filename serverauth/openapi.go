package serverauth

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/labstack/echo/v4"
)

// openAPISource is the contract of the HTTP interface, written by hand. The tests hold the code against it: the
// routes, the fields of requests and replies, the codes of problems, and every reply that an HTTP test sees.
//
//go:embed openapi.json
var openAPISource []byte

// openAPIServer is OpenAPI's Server Object.
type openAPIServer struct {
	URL         string `json:"url"`
	Description string `json:"description"`
}

// OpenAPI returns the OpenAPI 3.1 document of the HTTP interface as JSON, with issuer as its server: what
// GET /api/v1/auth/openapi.json answers, for those who generate a client or check replies without a running server.
func OpenAPI(issuer string) ([]byte, error) {
	// In the order in which people read it. What is not changed stays as it is written.
	var document struct {
		OpenAPI    json.RawMessage `json:"openapi"`
		Info       json.RawMessage `json:"info"`
		Servers    []openAPIServer `json:"servers"`
		Tags       json.RawMessage `json:"tags"`
		Paths      json.RawMessage `json:"paths"`
		Components json.RawMessage `json:"components"`
	}
	decoder := json.NewDecoder(bytes.NewReader(openAPISource))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("serverauth: OpenAPI document: %w", err)
	}
	for i := range document.Servers {
		document.Servers[i].URL = issuer
	}
	return json.Marshal(document)
}

// openAPIDocument serves the document, prepared once.
type openAPIDocument struct {
	body []byte
	etag string
}

func newOpenAPIDocument(issuer string) (*openAPIDocument, error) {
	body, err := OpenAPI(issuer)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &openAPIDocument{body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}, nil
}

// get is GET /openapi.json.
func (d *openAPIDocument) get(c echo.Context) error {
	return writeETag(c, d.body, d.etag, "public, max-age=300")
}
