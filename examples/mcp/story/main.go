// Story is a person, an agent of theirs, and what becomes of the agent when the person ends it. It runs against examples/standalone
// and examples/mcp; README.md of the latter says how.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/signin"
)

func main() {
	var s story
	flag.StringVar(&s.auth, "auth", "http://localhost:8100", "`URL` of the auth server")
	flag.StringVar(&s.mcp, "mcp", "http://localhost:8400/mcp", "`URL` of the MCP server")
	flag.StringVar(&s.key, "key", "person.key", "`file` of the person's wallet key, made if it is absent")
	address := flag.Bool("address", false, "print the person's address and nothing else")
	flag.Parse()
	err := s.person()
	switch {
	case err != nil:
	case *address:
		fmt.Println(s.human.Address())
	default:
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = s.tell(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "story:", err)
		os.Exit(1)
	}
}

// story is what the flags say, and who takes part.
type story struct {
	auth, mcp, key string
	human          *signin.Source
}

// person opens the person's wallet.
func (s *story) person() error {
	seed, err := readSeed(s.key)
	if err == nil {
		s.human, err = s.source(seed, signin.Config{})
	}
	return err
}

// agent is a program with a key of its own: its tokens are bound to it, and it may do what the client assistant may.
func (s *story) agent(scope string) (*signin.Source, error) {
	var seed [signin.SeedSize]byte
	rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	return s.source(seed, signin.Config{
		DPoP: true, Scope: []string{scope}, Resource: []string{s.mcp}, ClientID: "assistant", ClientSecret: os.Getenv("ASSISTANT_SECRET"),
	})
}

func (s *story) source(seed [signin.SeedSize]byte, c signin.Config) (*signin.Source, error) {
	c.Issuer, c.Algorithm, c.Patience = s.auth, signin.EIP191, time.Second
	var err error
	if c.Signer, err = signin.NewSigner(c.Algorithm, seed); err != nil {
		return nil, err
	}
	return signin.NewSource(c)
}

func (s *story) tell(ctx context.Context, out io.Writer) error {
	person, err := s.human.TokenContext(ctx)
	if err != nil {
		return fmt.Errorf("the person signs in: %w", err)
	}
	fmt.Fprintf(out, "1. A person signs in with a wallet, and may: %s\n", claim(person, "scope"))
	agent, err := s.agent("notes:read")
	if err != nil {
		return err
	}
	acting, err := agent.Exchange(ctx, person.AccessToken)
	if err != nil {
		return fmt.Errorf("the agent exchanges the person's token: %w", err)
	}
	fmt.Fprintf(out, "2. An agent with a key of its own gets less: %s, as %s, at %s\n", claim(acting, "scope"), acting.TokenType, claim(acting, "aud"))
	if err := s.more(ctx, person); err != nil {
		return err
	}
	fmt.Fprintln(out, "3. It asks for more, and is refused")

	tools := &toolCaller{base: signin.NewTransport(agent, nil), token: acting}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "story", Version: "1"}, nil).Connect(ctx,
		&mcp.StreamableClientTransport{Endpoint: s.mcp, HTTPClient: &http.Client{Transport: tools}, DisableStandaloneSSE: true}, nil)
	if err != nil {
		return fmt.Errorf("the agent calls the MCP server: %w", err)
	}
	defer session.Close() //nolint:errcheck // the server keeps no sessions
	reply, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "whoami"})
	if err != nil {
		return fmt.Errorf("the agent calls a tool: %w", err)
	}
	who, err := json.Marshal(reply.StructuredContent)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "4. It calls a tool of the MCP server, which sees both: %s\n", who)

	if err := s.end(ctx, person); err != nil {
		return fmt.Errorf("the person ends it: %w", err)
	}
	ended := time.Now()
	for tools.status.Load() != http.StatusUnauthorized {
		if time.Since(ended) > 10*time.Second {
			return errors.New("the agent still acts 10 s after the person has ended it")
		}
		_, _ = session.CallTool(ctx, &mcp.CallToolParams{Name: "whoami"}) // what came of it is the status
	}
	fmt.Fprintf(out, "5. The person ends the session. The agent is refused after %d ms\n", time.Since(ended).Milliseconds())
	return nil
}

// more asks for what the person may and the agent may not.
func (s *story) more(ctx context.Context, person *oauth2.Token) error {
	greedy, err := s.agent("notes:write")
	if err != nil {
		return err
	}
	_, err = greedy.Exchange(ctx, person.AccessToken)
	var refused *signin.Error
	if !errors.As(err, &refused) || refused.Code != "invalid_scope" {
		return fmt.Errorf("more than the agent may was not refused as invalid_scope: %w", err)
	}
	return nil
}

// end is the person's logout.
func (s *story) end(ctx context.Context, person *oauth2.Token) error {
	body, err := json.Marshal(map[string]string{"refresh_token": person.RefreshToken})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.auth+"/api/v1/auth/logout", strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := reply.Body.Close(); err != nil {
		return err
	}
	if reply.StatusCode/100 != 2 {
		return fmt.Errorf("logout: %s", reply.Status)
	}
	return nil
}

// toolCaller sends each request with the token of the exchange, and keeps the status of the last answer.
type toolCaller struct {
	base   http.RoundTripper
	token  *oauth2.Token
	status atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (t *toolCaller) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := t.base.RoundTrip(r.WithContext(signin.WithToken(r.Context(), t.token)))
	if err == nil {
		t.status.Store(int64(reply.StatusCode))
	}
	return reply, err
}

// claim is what a token says, unchecked: it is shown to whom it was issued.
func claim(token *oauth2.Token, name string) any {
	parts, err := jose.ParseCompact(token.AccessToken)
	if err != nil {
		return nil
	}
	claims, err := jose.ParseObject(parts.Payload)
	if err != nil {
		return nil
	}
	return claims[name]
}

// readSeed reads the seed of a key, and makes it where there is none.
func readSeed(path string) (seed [signin.SeedSize]byte, err error) {
	data, err := os.ReadFile(path) //nolint:gosec // it is the user's own choice
	if errors.Is(err, os.ErrNotExist) {
		rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
		return seed, os.WriteFile(path, seed[:], 0o600)
	}
	if err == nil && len(data) != len(seed) {
		err = fmt.Errorf("%s is not a key of %d bytes", path, len(seed))
	}
	copy(seed[:], data)
	return seed, err
}
