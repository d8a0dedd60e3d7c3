package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

// readyTime is how long the authenticator may take to fetch the issuer's metadata, which it does in the background.
const readyTime = 30 * time.Second

func main() {
	issuer := flag.String("oidc-issuer-url", "", "the issuer, https")
	clientID := flag.String("oidc-client-id", "", "the audience of a token")
	ca := flag.String("oidc-ca-file", "", "certificates that the issuer's is checked against")
	algorithm := flag.String("oidc-signing-algs", "RS256", "the algorithm of a token's signature")
	username, usernamePrefix := mapping("username", "sub")
	groups, groupsPrefix := mapping("groups", "")
	flag.Parse()
	roots, err := dynamiccertificates.NewDynamicCAContentFromFile("oidc-authenticator", *ca)
	if err != nil {
		fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTime)
	defer cancel()
	authenticator, err := oidc.New(ctx, oidc.Options{
		CAContentProvider:    roots,
		SupportedSigningAlgs: []string{*algorithm},
		JWTAuthenticator: apiserver.JWTAuthenticator{
			Issuer: apiserver.Issuer{URL: *issuer, Audiences: []string{*clientID}},
			ClaimMappings: apiserver.ClaimMappings{
				Username: apiserver.PrefixedClaimOrExpression{Claim: *username, Prefix: usernamePrefix},
				Groups:   apiserver.PrefixedClaimOrExpression{Claim: *groups, Prefix: groupsPrefix},
			},
		},
	})
	if err != nil {
		fail(err)
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	for authenticator.HealthCheck() != nil {
		select {
		case <-ctx.Done():
			fail(authenticator.HealthCheck())
		case <-time.After(50 * time.Millisecond):
		}
	}
	reply, ok, err := authenticator.AuthenticateToken(ctx, string(text))
	if err == nil && !ok {
		err = errors.New("the token is of another issuer")
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(reply.User)
	}
	if err != nil {
		fail(err)
	}
}

// mapping defines the two flags of a claim.
func mapping(of, claim string) (name, prefix *string) {
	return flag.String("oidc-"+of+"-claim", claim, "the claim of the "+of), flag.String("oidc-"+of+"-prefix", "", "what stands before the "+of)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
