package serverauth

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
)

// openAPISource describes the HTTP interface; it is written by hand. Tests compare it with the code: the routes, the fields of
// requests and replies, the codes of problems, and every reply in an HTTP test.
//
//go:embed openapi.json
var openAPISource []byte

// openAPIServer is OpenAPI's Server Object.
type openAPIServer struct {
	URL         string `json:"url"`
	Description string `json:"description"`
}

// openAPIInfo is OpenAPI's Info Object. Its version is replaced by that of the program.
type openAPIInfo struct {
	Title       string          `json:"title"`
	Version     string          `json:"version"`
	Summary     string          `json:"summary"`
	Description string          `json:"description"`
	License     json.RawMessage `json:"license"`
}

// OpenAPI returns the OpenAPI 3.1 document of the HTTP interface as JSON, with issuer as its server URL. It is the reply of
// GET /api/v1/auth/openapi.json; use it to generate a client or to check replies without a running server.
func OpenAPI(issuer string) ([]byte, error) {
	// The members are in the order in which people read them. Those that are not changed are copied as they are.
	var document struct {
		OpenAPI    json.RawMessage `json:"openapi"`
		Info       openAPIInfo     `json:"info"`
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
	document.Info.Version = app.Version
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

// Home adds GET /, a JSON object with the issuer and links to the documentation, the OpenAPI document, the keys and the discovery
// document. It is for programs that consist of this server only; any other app has a root page of its own.
var Home fx.Option = fx.Invoke(registerHome)

func registerHome(e *echo.Echo, settings ServerAuthSettings) {
	links := map[string]string{
		"service": "picoauth", "issuer": settings.Issuer, "documentation": Prefix + "/docs", "openapi": Prefix + "/openapi.json",
		"jwks": Prefix + "/jwks", "discovery": "/.well-known/openid-configuration",
	}
	e.GET("/", func(c echo.Context) error { return app.WriteJSON(c.Response(), http.StatusOK, links) })
}
