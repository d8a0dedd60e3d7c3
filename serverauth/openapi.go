package serverauth

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
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

// OpenAPI returns the OpenAPI 3.1 document of the HTTP interface as JSON, with issuer as its server URL. It is the reply of
// GET /api/v1/auth/openapi.json; use it to generate a client or to check replies without a running server.
func OpenAPI(issuer string) ([]byte, error) {
	url, _ := json.Marshal(issuer) // never fails for a text
	document := bytes.Replace(openAPISource, []byte(`"version": "0.0.0"`), []byte(`"version": "`+app.Version+`"`), 1)
	document = bytes.Replace(document, []byte(`"url": "http://localhost:8100"`), append([]byte(`"url": `), url...), 1)
	return json.Marshal(json.RawMessage(document))
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
