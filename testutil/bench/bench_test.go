package bench_test

import (
	"context"
	"testing"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/compare"
)

// BenchmarkVerify puts our validation of a token beside that of the peers, each with keys that it has fetched already and
// with the checks of issuer, audience and expiry. "verified" verifies the signature each time, as the peers do; "known"
// has the token in its cache. The metrics are those of package compare: x_peer_keyfunc below 1 is faster than keyfunc.
//
//	cd testutil/bench && go test -run '^$' -bench Verify .
func BenchmarkVerify(b *testing.B) {
	for _, algorithm := range classical {
		issuer := testutil.NewIssuer(b, testutil.IssuerConfig{Algorithms: []string{algorithm}})
		token := issuer.Mint(testutil.Token{Claims: map[string]any{
			"algorithm": "Ed25519", "wallet_address": "47dc67feb86b6a7c29df91915d723c2957b293b82be4b1c89d3b35879f07007d",
			"wallet_id": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
		}})
		peers := []compare.Way{
			peer(b, "peer_keyfunc", token, keyfuncPeer(b, issuer, algorithm)),
			peer(b, "peer_go-oidc", token, oidcPeer(b, issuer, algorithm)),
			peer(b, "peer_jwx", token, jwxPeer(b, issuer)),
		}
		for name, cache := range map[string]int{"verified": 0, "known": 1000} {
			b.Run(algorithm+"/"+name, func(b *testing.B) {
				compare.Run(b, peer(b, "", token, ours(b, issuer, cache)), peers...)
			})
		}
	}
}

// verification says whether a token is good.
type verification func(ctx context.Context, token string) error

func peer(b *testing.B, name, token string, verify verification) compare.Way {
	b.Helper()
	require.NoError(b, verify(b.Context(), token), name)
	require.Error(b, verify(b.Context(), token+"A"), name)
	ctx := context.Background()
	return compare.Way{Name: name, Do: func() {
		if err := verify(ctx, token); err != nil {
			b.Fatal(err)
		}
	}}
}

func ours(b *testing.B, issuer *testutil.Issuer, cache int) verification {
	trusted := issuer.TrustedIssuer()
	trusted.Denylist = nil // the peers have none
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{Issuers: []clientauth.TrustedIssuer{trusted}, CacheSize: cache})
	require.NoError(b, err)
	return func(ctx context.Context, token string) error {
		_, err := validator.Validate(ctx, token)
		return err
	}
}

func keyfuncPeer(b *testing.B, issuer *testutil.Issuer, algorithm string) verification {
	keys, err := keyfunc.NewDefaultCtx(b.Context(), []string{issuer.JWKS.URL})
	require.NoError(b, err)
	parser := jwt.NewParser(jwt.WithIssuer(issuer.Name), jwt.WithAudience(issuer.Audience), jwt.WithExpirationRequired(), jwt.WithValidMethods([]string{algorithm}))
	return func(_ context.Context, token string) error {
		_, err := parser.Parse(token, keys.Keyfunc)
		return err
	}
}

func oidcPeer(b *testing.B, issuer *testutil.Issuer, algorithm string) verification {
	keys := oidc.NewRemoteKeySet(context.Background(), issuer.JWKS.URL)
	verifier := oidc.NewVerifier(issuer.Name, keys, &oidc.Config{ClientID: issuer.Audience, SupportedSigningAlgs: []string{algorithm}})
	return func(ctx context.Context, token string) error {
		_, err := verifier.Verify(ctx, token)
		return err
	}
}

func jwxPeer(b *testing.B, issuer *testutil.Issuer) verification {
	keys, err := jwk.Fetch(b.Context(), issuer.JWKS.URL)
	require.NoError(b, err)
	return func(_ context.Context, token string) error {
		_, err := jwxjwt.Parse([]byte(token), jwxjwt.WithKeySet(keys), jwxjwt.WithIssuer(issuer.Name), jwxjwt.WithAudience(issuer.Audience))
		return err
	}
}
