package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app/config"
)

func TestFlatTexts(t *testing.T) {
	flat, err := config.FlatTexts("claims", map[string]any{"a": map[string]any{"b.c": "d", "n": 2}, "x": true})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"a.b.c": "d", "a.n": "2", "x": "true"}, flat)
	_, err = config.FlatTexts("claims", map[string]any{"a": map[string]any{"b": []any{"c"}}})
	var fault *config.Error
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, "claims.a.b", fault.Key)
}

func TestFlatTextsReportsInOneOrder(t *testing.T) {
	wrong := map[string]any{"d": nil, "a": map[string]any{"c": nil, "b": nil}, "e": nil}
	for range 10 {
		_, err := config.FlatTexts("claims", wrong)
		assert.EqualError(t, err, "claims.a.b: must be a text, a number, true or false\nclaims.a.c: must be a text, a number, true or false\n"+
			"claims.d: must be a text, a number, true or false\nclaims.e: must be a text, a number, true or false")
	}
}
