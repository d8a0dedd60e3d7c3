// Walletlogin signs in with a key, prints the claims of the tokens and calls a protected route. It is package clientauth/signin
// with flags.
//
//	go run ./examples/walletlogin --algorithm Ed25519 --key alice.key    # the same wallet at every run
//	go run ./examples/walletlogin --algorithm Ed25519 --dpop             # tokens that are bound to a key
//	TOKEN=$(go run ./examples/walletlogin --algorithm Ed25519 --key alice.key --print-token)
//	curl -H "Authorization: Bearer $TOKEN" http://localhost:8100/api/profile
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/picoauth/picoauth/clientauth/signin"
)

func main() {
	var l login
	flag.StringVar(&l.url, "url", "http://localhost:8100", "base `URL` of the auth server")
	flag.StringVar(&l.algorithm, "algorithm", signin.MLDSA65, "wallet `algorithm`: "+strings.Join(signin.Algorithms(), ", "))
	flag.StringVar(&l.key, "key", "", "`file` of the wallet's key, made if it is absent (default: a new wallet at every run)")
	flag.StringVar(&l.call, "call", "", "`URL` of a protected route (default: /api/profile and /api/admin/dashboard at --url)")
	flag.BoolVar(&l.dpop, "dpop", false, "bind the tokens to a key (DPoP)")
	flag.BoolVar(&l.printToken, "print-token", false, "print the access token and nothing else")
	flag.Parse()
	l.url = strings.TrimSuffix(l.url, "/")
	if err := l.run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "walletlogin:", err)
		os.Exit(1)
	}
}

// login is what the flags say.
type login struct {
	url, algorithm, key, call string
	dpop, printToken          bool
}

func (l login) run(out io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	seed, err := readKey(l.key)
	if err != nil {
		return err
	}
	signer, err := signin.NewSigner(l.algorithm, seed)
	if err != nil {
		return err
	}
	source, err := signin.NewSource(signin.Config{Issuer: l.url, Signer: signer, Algorithm: l.algorithm, DPoP: l.dpop, Patience: time.Second})
	if err != nil {
		return err
	}
	token, err := source.TokenContext(ctx)
	if err != nil {
		return fmt.Errorf("sign in at %s: %w", l.url, err)
	}
	if l.printToken {
		fmt.Fprintln(out, token.AccessToken)
		return nil
	}
	fmt.Fprintf(out, "wallet         %s %s\n", l.algorithm, short(source.Address()))
	if err := printClaims(out, token.AccessToken, token.RefreshToken); err != nil {
		return err
	}
	routes := []string{l.url + "/api/profile", l.url + "/api/admin/dashboard"}
	if l.call != "" {
		routes = []string{l.call}
	}
	client := &http.Client{Transport: signin.NewTransport(source, nil)}
	for _, route := range routes {
		if err := show(ctx, out, client, route, l.call == ""); err != nil {
			return err
		}
	}
	return nil
}

// show calls a protected route. A refusal is printed, not an error. A route that is only tried may be missing: the auth
// server alone has none.
func show(ctx context.Context, out io.Writer, client *http.Client, route string, tried bool) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, route, nil)
	if err != nil {
		return err
	}
	reply, err := client.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case reply.StatusCode == http.StatusOK:
		fmt.Fprintf(out, "GET %s: 200 %s\n", route, strings.TrimSpace(string(text)))
	case reply.StatusCode != http.StatusNotFound || !tried:
		fmt.Fprintf(out, "GET %s: %d\n", route, reply.StatusCode)
	}
	return nil
}

func printClaims(out io.Writer, access, refresh string) error {
	claims, text, err := claimsOf(access)
	if err != nil {
		return fmt.Errorf("access token: %w", err)
	}
	fmt.Fprintf(out, "signed in as   %s\naccess token claims\n%s\n", claims["sub"], text)
	if _, text, err = claimsOf(refresh); err != nil {
		return fmt.Errorf("refresh token: %w", err)
	}
	fmt.Fprintf(out, "refresh token claims\n%s\n", text)
	return nil
}

// claimsOf reads a token's claims without checking it: they are shown to whom it was issued.
func claimsOf(token string) (claims map[string]any, text []byte, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, errors.New("not a JWT")
	}
	if text, err = base64.RawURLEncoding.DecodeString(parts[1]); err != nil {
		return nil, nil, err
	}
	if err = json.Unmarshal(text, &claims); err != nil {
		return nil, nil, err
	}
	text, err = json.MarshalIndent(claims, "", "  ")
	return claims, text, err
}

func short(text string) string {
	if len(text) <= 40 {
		return text
	}
	return fmt.Sprintf("%s… (%d characters)", text[:40], len(text))
}
