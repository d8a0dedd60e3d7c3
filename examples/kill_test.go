package examples_test

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// TestTokensOutliveAKilledServer kills an issuer at random moments, while it starts, signs and rotates, 5 times, or 50
// with PICOAUTH_LONG=1. Whatever it has answered is good after it is started again on the same data.
func TestTokensOutliveAKilledServer(t *testing.T) {
	kills := 5
	if os.Getenv("PICOAUTH_LONG") == "1" {
		kills = 50
	}
	dataDir, port := filepath.Join(t.TempDir(), "data"), services.FreePort(t)
	environ := issuerSettings(port, dataDir, append([]string{"SERVER_AUTH__RATE_LIMIT_PER_MINUTE=0", "SERVER_AUTH__ALGORITHM=EdDSA"}, withAdmin...)...)
	random := rand.New(rand.NewPCG(9, 10))
	var issued tokenList
	for round := range kills {
		if round%2 == 1 { // in the middle of a start
			p := launch(t, "standalone", nil, environ...)
			time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
			p.kill()
		}
		p := serve(t, "standalone", environ...)
		checkAll(t, p.url, issued.all())
		ctx, cancel := context.WithCancel(t.Context())
		var load sync.WaitGroup
		for range 4 {
			load.Go(func() { signInUntil(ctx, p.url, &issued) })
		}
		admin := login(t, p.url)
		load.Go(func() { rotateUntil(ctx, p.url, admin) })
		issued.waitForMore()
		time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
		p.kill()
		cancel()
		load.Wait()
	}
	last := serve(t, "standalone", environ...)
	checkAll(t, last.url, issued.all())
	for _, in := range issued.all() {
		r := call(t, http.MethodPost, last.url+"/api/v1/auth/refresh", "", `{"refresh_token":"`+in.RefreshToken+`"}`)
		require.Equal(t, 200, r.status, r.body)
	}
	require.NoError(t, filepath.WalkDir(dataDir, func(path string, file fs.DirEntry, err error) error {
		assert.NotEqual(t, ".corrupt", filepath.Ext(path))
		return err
	}))
	t.Logf("%d sessions of %d lives", len(issued.all()), kills)
}

// tokenList is what was issued so far.
type tokenList struct {
	mu     sync.Mutex
	tokens []testutil.SignedIn
	more   chan struct{}
}

func (l *tokenList) add(token testutil.SignedIn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens = append(l.tokens, token)
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

func (l *tokenList) all() []testutil.SignedIn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.tokens)
}

// waitForMore returns after the next token.
func (l *tokenList) waitForMore() {
	l.mu.Lock()
	more := make(chan struct{})
	l.more = more
	l.mu.Unlock()
	select {
	case <-more:
	case <-time.After(patience):
	}
}

func signInUntil(ctx context.Context, url string, issued *tokenList) {
	for ctx.Err() == nil {
		w, err := testutil.NewWallet("Ed25519")
		if err != nil {
			return
		}
		if in, err := testutil.SignIn(ctx, url, w); err == nil {
			issued.add(in)
		}
	}
}

func rotateUntil(ctx context.Context, url, token string) {
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v1/auth/keys/rotate", nil)
		if err != nil {
			return
		}
		request.Header.Set("Authorization", "Bearer "+token)
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
		}
	}
}

// checkAll holds tokens against what the issuer publishes now.
func checkAll(t *testing.T, url string, issued []testutil.SignedIn) {
	t.Helper()
	document := get(t, url+"/api/v1/auth/jwks", "").body
	published, skipped, err := jose.ParseSet([]byte(document))
	require.NoError(t, err)
	require.Empty(t, skipped)
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{Issuers: []clientauth.TrustedIssuer{{
		Issuer: url, Audience: "pico", Algorithms: []string{jose.EdDSA}, Keys: clientauth.NewKeyMap(published...),
	}}})
	require.NoError(t, err)
	for _, in := range issued {
		_, err := validator.Validate(t.Context(), in.AccessToken)
		require.NoError(t, err)
	}
}
