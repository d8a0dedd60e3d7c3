package openapitest_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil/openapitest"
)

func pets(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/pets.json")
	require.NoError(t, err)
	return string(text)
}

const (
	problemType = "application/problem+json"
	jsonType    = "application/json"
)

func TestCheckReply(t *testing.T) {
	document, err := openapitest.Parse([]byte(pets(t)))
	require.NoError(t, err)
	tests := []struct {
		name, request string
		status        int
		header        string // "Name: value" lines
		contentType   string
		body          string
		wrong         string // "": nothing
	}{
		{"as documented", "GET /v1/pets/7", 200, "Cache-Control: no-store", jsonType, `{"name":"Tom"}`, ""},
		{"with every field", "GET /v1/pets/7", 200, "Cache-Control: no-store", jsonType, `{"name":"Tom","born":"2026-11-23T12:00:00Z","tags":{"any":1}}`, ""},
		{"with a query and a media type's parameter", "GET /v1/pets/7?x=1", 200, "Cache-Control: no-store", "application/json; charset=UTF-8", `{"name":"Tom"}`, ""},
		{"another media type", "GET /v1/pets/7", 200, "Cache-Control: no-store", "text/plain", `Tom`, ""},
		{"a header with a number", "GET /v1/pets/7", 200, "Cache-Control: no-store\nAge: 4", jsonType, `{"name":"Tom"}`, ""},
		{"HEAD", "HEAD /v1/pets/7", 200, "Cache-Control: no-store", jsonType, ``, ""},
		{"without content", "GET /v1/pets/7", 304, "", "", ``, ""},
		{"a problem", "GET /v1/pets/7", 404, "", problemType, `{"code":"no_pet"}`, ""},
		{"an escaped slash", "GET /v1/pets/a%2Fb", 404, "", problemType, `{"code":"no_pet"}`, ""},

		{"undocumented status", "GET /v1/pets/7", 500, "", problemType, `{"code":"no_pet"}`, "status is not documented"},
		{"the concrete path wins", "GET /v1/pets/newest", 200, "Cache-Control: no-store", jsonType, `{"name":"Tom"}`, "status is not documented"},
		{"undocumented media type", "GET /v1/pets/7", 200, "Cache-Control: no-store", "text/html", `Tom`, "text/html is not documented"},
		{"undocumented media type of HEAD", "HEAD /v1/pets/7", 200, "Cache-Control: no-store", "text/html", ``, "text/html is not documented"},
		{"no media type", "GET /v1/pets/7", 404, "", "", `{"code":"no_pet"}`, "content type"},
		{"header absent", "GET /v1/pets/7", 200, "", jsonType, `{"name":"Tom"}`, "Cache-Control: required"},
		{"header of another value", "GET /v1/pets/7", 200, "Cache-Control: public", jsonType, `{"name":"Tom"}`, "header Cache-Control"},
		{"header that is no number", "GET /v1/pets/7", 200, "Cache-Control: no-store\nAge: old", jsonType, `{"name":"Tom"}`, "header Age"},
		{"field absent", "GET /v1/pets/7", 200, "Cache-Control: no-store", jsonType, `{}`, "name"},
		{"field of the wrong type", "GET /v1/pets/7", 200, "Cache-Control: no-store", jsonType, `{"name":7}`, "/name"},
		{"field of the wrong format", "GET /v1/pets/7", 200, "Cache-Control: no-store", jsonType, `{"name":"Tom","born":"now"}`, "/born"},
		{"undocumented field", "GET /v1/pets/7", 200, "Cache-Control: no-store", jsonType, `{"name":"Tom","age":7}`, "age"},
		{"undocumented code", "GET /v1/pets/7", 404, "", problemType, `{"code":"eaten"}`, "/code"},
		{"not JSON", "GET /v1/pets/7", 404, "", problemType, `{"code":`, "body"},
		{"a body where there is none", "GET /v1/pets/7", 304, "", "", `Tom`, "where none is documented"},

		{"unknown method, refused", "POST /v1/pets/7", 405, "", jsonType, `{}`, ""},
		{"unknown method, answered", "POST /v1/pets/7", 200, "", jsonType, `{}`, "operation is not documented"},
		{"unknown path, refused", "GET /v1/pets/7/owner", 404, "", jsonType, `{}`, ""},
		{"unknown path, answered", "GET /v1/pets/7/owner", 200, "", jsonType, `{}`, "operation is not documented"},
		{"preflight", "OPTIONS /v1/pets/7", 204, "", "", ``, ""},
		{"path of somebody else", "GET /v2/pets", 200, "", "text/html", `Tom`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			method, target, _ := strings.Cut(test.request, " ")
			reply := &http.Response{StatusCode: test.status, Header: http.Header{}}
			for line := range strings.Lines(test.header) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				reply.Header.Set(name, value)
			}
			if test.contentType != "" {
				reply.Header.Set("Content-Type", test.contentType)
			}
			err := document.CheckReply(httptest.NewRequest(method, target, nil), reply, []byte(test.body))
			if test.wrong == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.wrong)
			}
		})
	}
}
