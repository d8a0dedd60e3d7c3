package serverauth_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/compare"
)

// openAndProtected are two routes that differ in nothing but the token that one of them needs.
func openAndProtected(e *echo.Echo, policy *clientauth.Policy) {
	handle := func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
	policy.AllowAnonymous(e.GET("/open", handle))
	e.GET("/protected", handle)
}

// site is an app with those routes, and the issuer of its tokens.
type site struct {
	echo *echo.Echo
	mint func() string
	keys []jose.Key
}

// embeddedSite has its issuer in process.
func embeddedSite(b *testing.B, signing string, cache int, options ...fx.Option) site {
	b.Helper()
	var issuer *serverauth.TokenIssuer
	options = append(options, clientauth.Module, fx.Invoke(openAndProtected), fx.Populate(&issuer),
		app.ConfigMap(map[string]any{"auth_client": map[string]any{"token_cache_size": cache}}))
	e := benchEcho(b, map[string]any{"algorithm": signing}, options...)
	set, err := issuer.JWKS(context.Background())
	require.NoError(b, err)
	mint := func() string {
		token, err := issuer.IssueAccessToken(context.Background(), serverauth.AccessTokenRequest{
			Subject: strings.Repeat("a", 64), Role: "wallet", SessionID: strings.Repeat("s", 22), Kind: store.KindWallet,
			Wallet: store.Subject{ID: strings.Repeat("a", 64), Kind: store.KindWallet, Algorithm: "Ed25519", WalletID: strings.Repeat("w", 43)},
		})
		require.NoError(b, err)
		return token
	}
	return site{e, mint, set.Keys}
}

// remoteSite fetches keys and denylist from elsewhere.
func remoteSite(b *testing.B, signing string, cache int) site {
	b.Helper()
	issuer := testutil.NewIssuer(b, testutil.IssuerConfig{Algorithms: []string{signing}})
	settings := issuer.Settings()
	settings["token_cache_size"] = cache
	var e *echo.Echo
	testutil.NewApp(b, clientauth.Module, fx.Invoke(openAndProtected), fx.Populate(&e), app.ConfigMap(map[string]any{"auth_client": settings}))
	return site{echo: e, mint: func() string { return issuer.Mint(testutil.Token{}) }}
}

// protected returns a call of the protected route with a token.
func (s site) protected(b *testing.B, token string) *caller {
	c := newCaller(b, s.echo, http.MethodGet, "/protected")
	c.request.Header.Set("Authorization", "Bearer "+token)
	c.call(nil)
	return c
}

// BenchmarkProtected has as its floor the same route without protection. In the modes hit and off the token is the same
// again and again, in the mode miss always another.
func BenchmarkProtected(b *testing.B) {
	for _, signing := range []string{"EdDSA", "RS256"} {
		for _, where := range []string{"embedded", "remote"} {
			for _, mode := range []string{"hit", "miss", "off"} {
				b.Run(strings.Join([]string{signing, where, mode}, "/"), func(b *testing.B) {
					cache := 10_000
					if mode == "off" {
						cache = 0
					}
					s := remoteSite
					if where == "embedded" {
						s = func(b *testing.B, signing string, cache int) site { return embeddedSite(b, signing, cache) }
					}
					benchProtected(b, s(b, signing, cache), mode == "miss")
				})
			}
		}
	}
}

func benchProtected(b *testing.B, s site, fresh bool) {
	token := s.mint()
	ours, floor := s.protected(b, token), newCaller(b, s.echo, http.MethodGet, "/open")
	way := compare.Way{Do: func() { ours.call(nil) }}
	if fresh {
		var tokens []string
		way.Prepare = func(n int) {
			for len(tokens) < n {
				tokens = append(tokens, "Bearer "+s.mint())
			}
		}
		way.Do = func() {
			ours.request.Header["Authorization"] = tokens[len(tokens)-1:]
			tokens = tokens[:len(tokens)-1]
			ours.call(nil)
		}
	}
	ways := []compare.Way{{Name: "floor", Do: func() { floor.call(nil) }}}
	if verify := rawVerification(token, s.keys); verify != nil {
		ways = append(ways, compare.Way{Name: "verify", Do: verify})
	}
	compare.Run(b, way, ways...)
}

// rawVerification verifies the signature of a token and does nothing else.
func rawVerification(token string, keys []jose.Key) func() {
	at := strings.LastIndexByte(token, '.')
	signature, err := jose.DecodeBase64(token[at+1:])
	parts, headerErr := jose.ParseCompact(token)
	if err != nil || headerErr != nil {
		return nil
	}
	for _, key := range keys {
		if key.ID != parts.KeyID {
			continue
		}
		switch public := key.Public.(type) {
		case *rsa.PublicKey:
			return func() {
				digest := sha256.Sum256([]byte(token[:at]))
				_ = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature)
			}
		case ed25519.PublicKey:
			return func() { ed25519.Verify(public, []byte(token[:at]), signature) }
		}
	}
	return nil
}

// BenchmarkDenylist is a protected request, with the token cached, beside a denylist of so many entries. Its floor is
// the same with an empty one.
func BenchmarkDenylist(b *testing.B) {
	empty := embeddedSite(b, "EdDSA", 10_000)
	floor := empty.protected(b, empty.mint())
	for _, size := range []int{1_000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			var denylist *revocation.Denylist
			s := embeddedSite(b, "EdDSA", 10_000, fx.Populate(&denylist))
			revoke(b, denylist, size)
			ours := s.protected(b, s.mint())
			compare.Run(b, compare.Way{Do: func() { ours.call(nil) }}, compare.Way{Name: "floor", Do: func() { floor.call(nil) }})
		})
	}
}

// revoke puts that many tokens, sessions and subjects on a denylist.
func revoke(b *testing.B, denylist *revocation.Denylist, size int) {
	b.Helper()
	items := make([]store.Revocation, size)
	for i := range items {
		id := strconv.Itoa(i)
		switch i % 3 {
		case 0:
			items[i].JTI = "jti" + id
		case 1:
			items[i].SID = "sid" + id
		default:
			items[i].Sub, items[i].RevokedAt = "sub"+id, 1
		}
		items[i].Exp = 1 << 40
	}
	_, err := denylist.Add(context.Background(), items)
	require.NoError(b, err)
}
