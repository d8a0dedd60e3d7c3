package client

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// assertionType is the only client_assertion_type (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// credentials are the client_id and credentials of a request, not verified yet.
type credentials struct {
	id     string
	method string
	secret string // of client_secret_basic and client_secret_post, or the assertion of private_key_jwt
}

// readCredentials returns the credentials of a request, which may use one method only (RFC 6749, section 2.3). A parameter without
// a value is ignored.
func readCredentials(header http.Header, form url.Values) (credentials, *Error) {
	for _, name := range []string{"client_id", "client_secret", "client_assertion", "client_assertion_type"} {
		if len(form[name]) > 1 {
			return credentials{}, invalidRequest(name + " is there twice")
		}
	}
	found := credentials{id: form.Get("client_id"), method: AuthNone, secret: form.Get("client_secret")}
	basic, post := header.Get("Authorization") != "", found.secret != ""
	asserts := form.Get("client_assertion") != "" || form.Get("client_assertion_type") != ""
	var err *Error
	switch {
	case basic && post, basic && asserts, post && asserts:
		return credentials{}, invalidRequest("the client authenticates in more than one way")
	case basic:
		err = found.readBasic(header.Values("Authorization"))
	case post:
		found.method = AuthSecretPost
	case asserts:
		err = found.readAssertion(form)
	}
	switch {
	case err != nil:
		return credentials{}, err
	case found.id == "":
		return credentials{}, invalidClient("client_id is missing")
	case len(found.secret) > jose.MaxTokenBytes || len(found.id) > maxRedirectURI || !utf8.ValidString(found.id+found.secret):
		return credentials{}, invalidRequest("the credentials of the client are too long or not valid UTF-8")
	default:
		return found, nil
	}
}

// Authenticates reports whether a request has client credentials, not only a client_id.
func Authenticates(header http.Header, form url.Values) bool {
	return header.Get("Authorization") != "" || form.Get("client_secret")+form.Get("client_assertion")+form.Get("client_assertion_type") != ""
}

// readBasic decodes id and secret, which are form-encoded (RFC 6749, section 2.3.1).
func (c *credentials) readBasic(values []string) *Error {
	refused := invalidClient("Authorization must be Basic with the form-encoded client id and secret")
	scheme, encoded, _ := strings.Cut(values[0], " ")
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	user, password, found := strings.Cut(string(text), ":")
	if len(values) > 1 || !strings.EqualFold(scheme, "Basic") || err != nil || !found {
		return refused
	}
	id, idErr := url.QueryUnescape(user)
	secret, secretErr := url.QueryUnescape(password)
	if idErr != nil || secretErr != nil || id == "" || secret == "" {
		return refused
	}
	if c.id != "" && c.id != id {
		return invalidRequest("client_id differs from that in Authorization")
	}
	c.id, c.method, c.secret = id, AuthSecretBasic, secret
	return nil
}

// readAssertion takes the client's id from the claim sub. If the form has a client_id, it must be the same.
func (c *credentials) readAssertion(form url.Values) *Error {
	assertion := form.Get("client_assertion")
	if form.Get("client_assertion_type") != assertionType {
		return invalidRequest("client_assertion_type must be " + assertionType)
	}
	parts, err := jose.ParseCompact(assertion)
	var claims struct {
		Subject string `json:"sub"`
	}
	if err == nil {
		err = json.Unmarshal(parts.Payload, &claims)
	}
	switch {
	case err != nil:
		return invalidClient("client_assertion is not a signed JWT")
	case c.id != "" && c.id != claims.Subject:
		return invalidClient("client_id differs from the sub of client_assertion")
	}
	c.id, c.method, c.secret = claims.Subject, AuthPrivateKeyJWT, assertion
	return nil
}
