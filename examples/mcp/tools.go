package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/picoauth/picoauth/clientauth"
)

// register serves MCP without sessions: each request has its own token, and nobody can go on with the session of another.
// clientauth has let it pass before it comes here.
func register(e *echo.Echo) {
	server := mcp.NewServer(&mcp.Implementation{Name: "picoauth-example", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "Says who signed in, and which client asks."}, whoami)
	mcp.AddTool(server, &mcp.Tool{Name: "greet", Description: "Greets somebody in the name of who signed in."}, greet)
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
	e.Match([]string{http.MethodPost, http.MethodGet, http.MethodDelete}, "/mcp", echo.WrapHandler(handler))
}

type nothing struct{}

// identity is who a request comes from.
type identity struct {
	Subject string   `json:"subject"`
	Account string   `json:"account,omitempty"`
	Client  string   `json:"client"`
	Scopes  []string `json:"scopes,omitempty"`
	Agent   string   `json:"agent,omitempty" jsonschema:"the agent that acts for the subject"`
}

func whoami(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, identity, error) {
	caller, ok := clientauth.FromContext(ctx)
	if !ok {
		return nil, identity{}, errors.New("nobody signed in")
	}
	who := identity{Subject: caller.Subject, Account: caller.Account, Client: caller.ClientID, Scopes: caller.Scopes}
	if agent, acts := clientauth.AgentFromContext(ctx); acts {
		who.Agent = agent.Subject
	}
	return nil, who, nil
}

type greeted struct {
	Name string `json:"name" jsonschema:"whom to greet"`
}

type greeting struct {
	Text string `json:"text"`
}

func greet(ctx context.Context, _ *mcp.CallToolRequest, in greeted) (*mcp.CallToolResult, greeting, error) {
	caller, ok := clientauth.FromContext(ctx)
	if !ok {
		return nil, greeting{}, errors.New("nobody signed in")
	}
	return nil, greeting{"Hello " + in.Name + ", from " + caller.Subject}, nil
}
