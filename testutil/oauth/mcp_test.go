package oauth_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// documentServer serves the metadata document of a client. It returns the document's URL and a file with its certificate.
func documentServer(t *testing.T, redirect string) (clientID, certificate string) {
	t.Helper()
	var id string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=600")
		_ = json.NewEncoder(w).Encode(object{"client_id": id, "client_name": "Desk", "redirect_uris": []string{redirect},
			"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"}, "token_endpoint_auth_method": "none"})
	}))
	t.Cleanup(server.Close)
	certificate = filepath.Join(t.TempDir(), "authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(certificate, text, 0o600))
	id = server.URL + "/desk/client.json"
	return id, certificate
}

// startGuarded runs an MCP server whose clients need a scope that its metadata does not say, and returns its URL.
func startGuarded(t *testing.T, port int, issuer string) {
	t.Helper()
	testutil.NewApp(t, clientauth.Module, app.ConfigMap(map[string]any{"app": object{"port": port}, "auth_client": object{
		"issuer": issuer, "resource": guardedResource(port), "scopes_supported": []string{"notes:read"}}}),
		fx.Invoke(func(e *echo.Echo) {
			server := mcp.NewServer(&mcp.Implementation{Name: "guarded", Version: "1"}, nil)
			mcp.AddTool(server, &mcp.Tool{Name: "write"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, struct{}, error) {
				return nil, struct{}{}, nil
			})
			handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
			e.Match([]string{http.MethodPost, http.MethodGet}, "/mcp", echo.WrapHandler(handler), clientauth.RequireScope("notes:write"))
		}))
}

func guardedResource(port int) string { return fmt.Sprintf("http://localhost:%d/mcp", port) }

// mcpServer is examples/mcp beside the server that it takes tokens of.
type mcpServer struct {
	issuer, resource, document string
	guarded                    int // the port of a server that its issuer knows too
}

// desktop is where a client on the person's device gets its answer. Nobody listens there: tests see where the browser is sent.
const desktop = "http://127.0.0.1:8765/callback"

func startMCP(t *testing.T) mcpServer {
	t.Helper()
	port, guarded := services.FreePort(t), services.FreePort(t)
	resource := fmt.Sprintf("http://localhost:%d/mcp", port)
	document, certificate := documentServer(t, desktop)
	issuer := startServer(t, object{
		"clients": []object{{"id": "desk", "redirect_uris": []string{desktop}}},
		"resources": []object{{"uri": resource, "name": "Example of MCP", "open": true}, {"uri": guardedResource(guarded), "open": true,
			"scopes": object{"notes:read": "read your notes", "notes:write": "write notes for you"}}},
		"client_metadata_documents": "on", "insecure_client_hosts": []string{strings.Split(document, "/")[2]}, "dynamic_registration": "open",
	}, "SSL_CERT_FILE="+certificate)
	dir := t.TempDir()
	config := writeConfig(t, dir, object{"app": object{"port": port}, "auth_client": object{"issuer": issuer, "resource": resource}}, "")
	startProgram(t, build(t, "../../examples/mcp", "."), dir, config)
	return mcpServer{issuer, resource, document, guarded}
}

// The MCP clients of TypeScript, from the URL of examples/mcp to a tool call with a wallet.
func TestMCPClients(t *testing.T) {
	server, someone := startMCP(t), newPerson(t)
	startGuarded(t, server.guarded, server.issuer)
	runNode(t, "mcp.test.mjs", 9, given(t, object{"issuer": server.issuer, "mcp": server.resource, "guarded": guardedResource(server.guarded), "document": server.document,
		"person": someone.serve(t), "address": someone.wallet.Address}))
}

// The MCP client of Go.
func TestMCPClientOfGo(t *testing.T) {
	server := startMCP(t)
	for name, change := range map[string]func(*auth.AuthorizationCodeHandlerConfig){
		"configured": func(c *auth.AuthorizationCodeHandlerConfig) {
			c.PreregisteredClient = &oauthex.ClientCredentials{ClientID: "desk"}
		},
		"registered": func(c *auth.AuthorizationCodeHandlerConfig) {
			c.DynamicClientRegistrationConfig = &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
				ClientName: "Desk", RedirectURIs: []string{desktop}, GrantTypes: []string{"authorization_code", "refresh_token"}, TokenEndpointAuthMethod: "none"}}
		},
		"document": func(c *auth.AuthorizationCodeHandlerConfig) {
			c.ClientIDMetadataDocumentConfig = &auth.ClientIDMetadataDocumentConfig{URL: server.document}
		},
	} {
		t.Run(name, func(t *testing.T) {
			someone := newPerson(t)
			config := &auth.AuthorizationCodeHandlerConfig{RedirectURL: desktop, AuthorizationCodeFetcher: someone.fetchCode}
			change(config)
			handler, err := auth.NewAuthorizationCodeHandler(config)
			require.NoError(t, err)
			client := mcp.NewClient(&mcp.Implementation{Name: "desk", Version: "1"}, nil)
			session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: server.resource, OAuthHandler: handler}, nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, session.Close()) }()
			reply, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "whoami"})
			require.NoError(t, err)
			text, err := json.Marshal(reply.StructuredContent)
			require.NoError(t, err)
			require.Contains(t, strings.ToLower(string(text)), strings.ToLower(someone.wallet.Address))
			require.Len(t, someone.signed, 1)
			require.Contains(t, someone.signed[0], "\n- "+server.resource, "the wallet shows the resource")
		})
	}
}

// fetchCode is the browser of a program of Go.
func (p *person) fetchCode(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	location, err := p.allow(ctx, args.URL)
	if err != nil {
		return nil, err
	}
	answer, err := url.Parse(location)
	if err != nil {
		return nil, err
	}
	return &auth.AuthorizationResult{Code: answer.Query().Get("code"), State: answer.Query().Get("state"), Iss: answer.Query().Get("iss")}, nil
}
