package serverauth

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
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
		{"RevocationList", struct {
			Items []store.Revocation `json:"items"`
			Seq   int64              `json:"seq"`
			Next  string             `json:"next,omitempty"`
		}{}, false},
		{"Revocation", store.Revocation{}, false},
		{"IntrospectionRequest", introspectRequest{}, true},
		{"AccessTokenClaims", token.AccessClaims{}, false},
		{"SigningKeyList", keyList{}, false},
		{"SigningKey", keyItem{}, false},
		{"SessionList", sessionsReply{}, false},
		{"Session", sessionItem{}, false},
		{"MintList", mintsReply{}, false},
		{"Mint", mintItem{}, false},
		{"AuditHead", audit.Head{}, false},
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
		fields = append(fields, wireField{name, jsonType(field.Type), strings.Contains(options, "omit")})
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
