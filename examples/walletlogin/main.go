// Walletlogin makes a wallet, signs in with it, prints the claims of the tokens and calls a protected route.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/picoauth/picoauth/testutil"
)

func main() {
	url := flag.String("url", "http://localhost:8100", "base `URL` of the auth server")
	algorithm := flag.String("algorithm", "ML-DSA-65", "wallet `algorithm`: "+strings.Join(testutil.WalletAlgorithms(), ", "))
	call := flag.String("call", "", "`URL` of a protected route (default: /api/profile and /api/admin/dashboard at --url)")
	flag.Parse()
	if err := run(os.Stdout, strings.TrimSuffix(*url, "/"), *algorithm, *call); err != nil {
		fmt.Fprintln(os.Stderr, "walletlogin:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, url, algorithm, call string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	wallet, err := testutil.NewWallet(algorithm)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "wallet         %s %s\n", wallet.Algorithm, short(wallet.Address))
	signedIn, err := testutil.SignIn(ctx, url, wallet)
	if err != nil {
		return fmt.Errorf("sign in at %s: %w", url, err)
	}
	fmt.Fprintf(out, "signed in as   %s\n", signedIn.Address)
	for _, token := range []struct{ name, text string }{
		{"access token", signedIn.AccessToken}, {"refresh token", signedIn.RefreshToken},
	} {
		claims, err := claimsOf(token.text)
		if err != nil {
			return fmt.Errorf("%s: %w", token.name, err)
		}
		fmt.Fprintf(out, "%s claims\n%s\n", token.name, claims)
	}
	routes := []string{url + "/api/profile", url + "/api/admin/dashboard"}
	if call != "" {
		routes = []string{call}
	}
	for _, route := range routes {
		if err := show(ctx, out, route, signedIn.AccessToken); err != nil {
			return err
		}
	}
	return nil
}

// show calls a protected route. A refusal is printed, not an error: the auth server alone has no such route.
func show(ctx context.Context, out io.Writer, route, token string) error {
	var reply json.RawMessage
	var refused *testutil.StatusError
	err := testutil.Get(ctx, route, token, &reply)
	switch {
	case errors.As(err, &refused):
		fmt.Fprintf(out, "GET %s: %d\n", route, refused.Status)
	case err != nil:
		return err
	default:
		fmt.Fprintf(out, "GET %s: 200 %s\n", route, reply)
	}
	return nil
}

// claimsOf reads a token's claims without checking it: they are shown to whom it was issued.
func claimsOf(token string) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		return nil, err
	}
	return json.MarshalIndent(claims, "  ", "  ")
}

func short(text string) string {
	if len(text) <= 40 {
		return text
	}
	return fmt.Sprintf("%s… (%d characters)", text[:40], len(text))
}
