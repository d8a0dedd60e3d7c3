package serverauth

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
)

// TestOpenAPIHasEveryProblemCode looks for codes in the sources, since not every problem is met by a test.
func TestOpenAPIHasEveryProblemCode(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.go", "wallet/errors.go", "oauth/client/admin.go", "oauth/readers.go", "dpop/*.go", "../app/decode*.go", "../app/health.go", "../clientauth/verify/problems.go"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		files = append(files, found...)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	coded := sourceCodes(t, files)
	require.Greater(t, len(coded), 30)
	coded = slices.DeleteFunc(coded, func(code string) bool {
		// Of the libraries alone: no endpoint here takes an account, or asks for a scope, a group or a nonce.
		return slices.Contains([]string{"invalid_account_id", "insufficient_scope", "forbidden", "use_dpop_nonce"}, code)
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
			case *ast.ValueSpec: // const codeTokenExpired = "token_expired"
				if strings.HasPrefix(n.Names[0].Name, "code") && len(n.Values) == 1 {
					add(n.Values[0])
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
