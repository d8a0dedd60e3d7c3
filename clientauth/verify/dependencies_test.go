package verify_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A service of plain net/http links this package and what it needs, and nothing of fx, echo, Prometheus or koanf. A
// module that is added here is linked into every such service.
func TestTheModulesThatAServiceLinks(t *testing.T) {
	want := []string{
		"github.com/cloudflare/circl", // ML-DSA
		"github.com/go-jose/go-jose/v4",
		"github.com/go-json-experiment/json",
		"github.com/golang-jwt/jwt/v5",
		"github.com/picoauth/picoauth",
		"golang.org/x/sys",
	}
	for _, of := range []string{".", "../../examples/nethttp"} {
		packages := imports(t, of)
		if got := slices.Compact(modules(packages)); !slices.Equal(got, want) {
			t.Errorf("%s links %q, want %q", of, got, want)
		}
		if t.Logf("%s: %d packages", of, len(packages)); len(packages) > 230 {
			t.Errorf("%s links %d packages", of, len(packages))
		}
		for _, name := range packages {
			if own, isOwn := strings.CutPrefix(name, "github.com/picoauth/picoauth/"); isOwn &&
				!slices.Contains([]string{"app/loglimit", "app/problem", "clientauth/jose", "clientauth/verify", "examples/nethttp"}, own) {
				t.Errorf("%s links %s", of, name)
			}
		}
	}
}

// imports returns the packages that one is made of, itself included.
func imports(t *testing.T, of string) []string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", of).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(output))
}

// modules returns the modules of packages that are not the standard library's.
func modules(packages []string) (all []string) {
	for _, name := range packages {
		parts := strings.Split(name, "/")
		if !strings.Contains(parts[0], ".") {
			continue
		}
		length := 3
		if len(parts) > 3 && strings.HasPrefix(parts[3], "v") {
			length = 4
		}
		all = append(all, strings.Join(parts[:length], "/"))
	}
	slices.Sort(all)
	return all
}
