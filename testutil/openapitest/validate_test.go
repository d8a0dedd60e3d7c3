package openapitest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil/openapitest"
)

func TestValidate(t *testing.T) {
	tests := []struct{ name, old, new, wrong string }{
		{"valid", "", "", ""},
		{"a member that OpenAPI does not have", `"info": {`, `"infos": {}, "info": {`, "infos"},
		{"a schema that JSON Schema does not allow", `"type": "string", "default"`, `"type": "text", "default"`, "/components/schemas/Pet/properties/name/type"},
		{"a response without description", `{"description": "Unchanged."}`, `{}`, "description"},
		{"an example with a wrong value", `"name": "Tom", "born"`, `"name": 7, "born"`, "/components/examples/tom/value"},
		{"an example with an undocumented field", `"name": "Tom", "born"`, `"nom": "", "name": "Tom", "born"`, "/components/examples/tom/value"},
		{"a schema's example", `"examples": ["no_pet"]`, `"examples": [7]`, "/components/schemas/Problem/properties/code/examples/0"},
		{"a default", `"default": "Tom"`, `"default": 7`, "/components/schemas/Pet/properties/name/default"},
		{"a parameter's example", `"example": "7"`, `"example": 7`, "/parameters/0/example"},
		{"a reference that leads nowhere", `examples/tom"}`, `examples/tim"}`, "leads nowhere"},
		{"a component that nothing uses", `"examples": {"tom": {"value"`, `"examples": {"tim": {}, "tom": {"value"`, "/components/examples/tim: nothing uses it"},
		{"operation ids", `"operationId": "getNewest"`, `"operationId": "getPet"`, "not unique"},
		{"a path parameter", `"in": "path", "required": true`, `"in": "query"`, "path parameter {id}"},
		{"a tag", `"tags": [{"name": "Pets"}]`, `"tags": []`, "tag \"Pets\""},
		{"a security scheme", `"security": [{"key": []}]`, `"security": [{"keys": []}]`, "no security scheme \"keys\""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := pets(t)
			require.Contains(t, text, test.old)
			document, err := openapitest.Parse([]byte(strings.Replace(text, test.old, test.new, 1)))
			require.NoError(t, err)
			err = document.Validate()
			if test.wrong == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.wrong)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `"openapi"`} {
		_, err := openapitest.Parse([]byte(text))
		assert.Error(t, err, text)
	}
}

func TestOperations(t *testing.T) {
	document, err := openapitest.Parse([]byte(pets(t)))
	require.NoError(t, err)
	assert.ElementsMatch(t, []openapitest.Operation{{"GET", "/v1/pets/{id}"}, {"GET", "/v1/pets/newest"}}, document.Operations())
}
