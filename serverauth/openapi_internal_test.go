package serverauth

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
)

// schema is a schema of the document, as far as these tests look at it.
type schema struct {
	Type       any               `json:"type"`
	Ref        string            `json:"$ref"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
}

func (s schema) types() []string {
	switch t := s.Type.(type) {
	case string:
		return []string{t}
	case []any:
		var names []string
		for _, name := range t {
			names = append(names, name.(string))
		}
		return names
	default:
		return []string{"object"} // a reference, here always to an object
	}
}

func documentSchemas(t *testing.T) map[string]schema {
	t.Helper()
	var document struct {
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal(openAPISource, &document))
	return document.Components.Schemas
}

// TestOpenAPISchemasAreTheWireStructs finds a field that only the code or only the document knows, which no reply of a
// test may happen to show.
func TestOpenAPISchemasAreTheWireStructs(t *testing.T) {
	tests := []struct {
		schema  string
		wire    any
		request bool // what it requires is decided by the flow
	}{
		{"ChallengeRequest", challengeRequest{}, true},
		{"Challenge", challengeReply{}, false},
		{"SignInRequest", signInRequest{}, true},
		{"SignedIn", signInReply{}, false},
		{"Tokens", Tokens{}, false},
		{"LoginRequest", loginRequest{}, true},
		{"RefreshRequest", refreshRequest{}, true},
		{"FleetSessionRequest", fleetRequest{}, true},
		{"FleetSession", fleetReply{}, false},
		{"RevokeRequest", revokeRequest{}, true},
		{"RevokeReply", revokeReply{}, false},
		{"Revoked", revokedItem{}, false},
		{"RevocationList", revokedListReply{}, false},
		{"Revocation", Revocation{}, false},
		{"IntrospectionRequest", introspectRequest{}, true},
		{"AccessTokenClaims", accessClaims{}, false},
		{"SigningKeyList", keyList{}, false},
		{"SigningKey", keyItem{}, false},
		{"MintList", mintsReply{}, false},
		{"Mint", mintItem{}, false},
		{"AuditHead", AuditHead{}, false},
		{"Metadata", metadata{}, false},
		{"Problem", app.Problem{}, true},
	}
	schemas := documentSchemas(t)
	for _, test := range tests {
		t.Run(test.schema, func(t *testing.T) {
			described, exists := schemas[test.schema]
			require.True(t, exists)
			var names, always []string
			for _, field := range wireFields(test.wire) {
				names = append(names, field.name)
				if !field.optional {
					always = append(always, field.name)
				}
				assert.Contains(t, described.Properties[field.name].types(), field.jsonType, field.name)
			}
			documented := make([]string, 0, len(described.Properties))
			for name := range described.Properties {
				documented = append(documented, name)
			}
			assert.ElementsMatch(t, names, documented)
			if !test.request {
				assert.ElementsMatch(t, always, described.Required, "required")
			}
		})
	}
}

type wireField struct {
	name, jsonType string
	optional       bool
}

func wireFields(wire any) []wireField {
	var fields []wireField
	for _, field := range reflect.VisibleFields(reflect.TypeOf(wire)) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		fields = append(fields, wireField{name, jsonType(field.Type), strings.Contains(options, "omitempty")})
	}
	return fields
}

func jsonType(t reflect.Type) string {
	if t.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()) {
		return "string"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "array"
	case reflect.Pointer:
		return jsonType(t.Elem())
	default:
		return "object"
	}
}

// TestOpenAPIHasEveryProblemCode looks for codes in the sources, since not every problem is met by a test.
func TestOpenAPIHasEveryProblemCode(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.go", "wallet/errors.go", "../app/decode.go", "../app/health.go"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		files = append(files, found...)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	coded := sourceCodes(t, files)
	require.Greater(t, len(coded), 30)
	coded = slices.DeleteFunc(coded, func(code string) bool {
		return code == "invalid_account_id" // of the library alone: no endpoint takes an account
	})
	documented := documentedCodes(t)
	for _, code := range coded {
		assert.True(t, slices.Contains(documented, code), "%s is in the code, not in the document", code)
	}
	for _, code := range documented {
		assert.True(t, slices.Contains(coded, code), "%s is in the document, not in the code", code)
	}
}

func documentedCodes(t *testing.T) []string {
	t.Helper()
	var document struct {
		Components struct {
			Examples map[string]struct {
				Value app.Problem `json:"value"`
			} `json:"examples"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal(openAPISource, &document))
	var codes []string
	for _, example := range document.Components.Examples {
		codes = append(codes, example.Value.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// sourceCodes returns the codes that are written as literals where a problem, or what becomes one, is made.
func sourceCodes(t *testing.T, files []string) []string {
	t.Helper()
	codeArgument := map[string]int{"NewProblem": 1, "badBody": 0, "unauthorized": 0}
	var codes []string
	add := func(e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			code, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			codes = append(codes, code)
		}
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if i, ok := codeArgument[calledName(n)]; ok && i < len(n.Args) {
					add(n.Args[i])
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "code" {
					add(n.Value)
				}
			}
			return true
		})
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func calledName(call *ast.CallExpr) string {
	switch function := call.Fun.(type) {
	case *ast.Ident:
		return function.Name
	case *ast.SelectorExpr:
		return function.Sel.Name
	default:
		return ""
	}
}

// TestOpenAPIHasTheLimits holds numbers against the constants that they come from.
func TestOpenAPIHasTheLimits(t *testing.T) {
	type limits struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					MaxLength int      `json:"maxLength"`
					Default   any      `json:"default"`
					Enum      []string `json:"enum"`
				} `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	var document limits
	require.NoError(t, json.Unmarshal(openAPISource, &document))
	schemas := document.Components.Schemas
	assert.Equal(t, maxAddressLength, schemas["ChallengeRequest"].Properties["address"].MaxLength)
	assert.Equal(t, maxAddressLength, schemas["SignInRequest"].Properties["address"].MaxLength)
	assert.Equal(t, maxFleetIDLength, schemas["FleetSessionRequest"].Properties["session_id"].MaxLength)
	assert.Equal(t, maxRevocationID, schemas["RevokeRequest"].Properties["jti"].MaxLength)
	assert.Equal(t, maxRevocationReason, schemas["RevokeRequest"].Properties["reason"].MaxLength)
	assert.Equal(t, defaultWalletAlgorithm, schemas["SignInRequest"].Properties["algorithm"].Default)
	assert.Equal(t, defaultFleetRole, schemas["FleetSessionRequest"].Properties["role"].Default)
	for _, encoding := range schemas["SignInRequest"].Properties["encoding"].Enum {
		_, err := decodeAs(encoding, "1234")
		assert.NoError(t, err, encoding)
	}
}
