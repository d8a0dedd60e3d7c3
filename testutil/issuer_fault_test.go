package testutil_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/testutil"
)

// impatient waits a moment for an endpoint; the faults that are slow are slower.
const impatient = 200 * time.Millisecond

var quiet = slog.New(slog.DiscardHandler)

func faults(issuer *testutil.Issuer) map[string]testutil.Fault {
	return map[string]testutil.Fault{
		"outage":    testutil.Outage(),
		"status":    testutil.StatusCode(http.StatusInternalServerError),
		"slow":      testutil.Slow(time.Hour),
		"drip":      testutil.Drip(time.Hour),
		"truncated": testutil.Truncated(),
		"garbage":   testutil.Garbage(),
		"redirect":  testutil.RedirectTo("http://localhost:1/elsewhere"),
		"own": func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, issuer.Name) })
		},
	}
}

func TestKeysThatCannotBeHad(t *testing.T) {
	clock := testutil.NewClock(epoch)
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{jose.EdDSA}, Clock: clock.Now})
	all := faults(issuer)
	all["empty"], all["huge"] = testutil.Empty(), testutil.Huge()
	for name, fault := range all {
		t.Run(name, func(t *testing.T) {
			keys, err := clientauth.NewRemoteKeySet(clientauth.RemoteKeySetConfig{URL: issuer.JWKS.URL, Timeout: impatient, Clock: clock.Now, Logger: quiet})
			require.NoError(t, err)
			issuer.JWKS.Break(fault)
			_, err = keys.Key(t.Context(), issuer.KeyID(""), jose.EdDSA)
			assert.ErrorIs(t, err, clientauth.ErrKeysUnavailable)

			issuer.JWKS.Heal()
			clock.Advance(time.Second)
			_, err = keys.Key(t.Context(), issuer.KeyID(""), jose.EdDSA)
			require.NoError(t, err)

			issuer.JWKS.Break(fault)
			clock.Advance(30 * time.Minute)
			_, err = keys.Key(t.Context(), issuer.KeyID(""), jose.EdDSA)
			require.NoError(t, err, "stale keys serve for an hour")
			clock.Advance(time.Hour)
			_, err = keys.Key(t.Context(), issuer.KeyID(""), jose.EdDSA)
			assert.ErrorIs(t, err, clientauth.ErrKeysUnavailable)
		})
	}
}

func TestADenylistThatCannotBeHad(t *testing.T) {
	clock := testutil.NewClock(epoch)
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{jose.EdDSA}, Clock: clock.Now})
	for name, fault := range faults(issuer) {
		t.Run(name, func(t *testing.T) {
			list, err := clientauth.NewRemoteDenylist(clientauth.RemoteDenylistConfig{URL: issuer.Denylist.URL, Secret: issuer.Secret,
				Timeout: impatient, Clock: clock.Now, Logger: quiet})
			require.NoError(t, err)
			issuer.Denylist.Break(fault)
			_, err = list.Denied(t.Context(), clientauth.TokenRef{ID: "x"})
			assert.ErrorIs(t, err, clientauth.ErrDenylistUnavailable)
			issuer.Denylist.Heal()
			clock.Advance(time.Second)
			assert.EventuallyWithT(t, func(c *assert.CollectT) { // the fetch that was given up may still run
				denied, err := list.Denied(t.Context(), clientauth.TokenRef{ID: "x"})
				assert.NoError(c, err)
				assert.False(c, denied)
			}, 10*time.Second, time.Millisecond)
		})
	}
}

func TestStrangeKeysAreSkipped(t *testing.T) {
	b := newFixture(t, jose.Algorithms()...)
	b.JWKS.Break(testutil.StrangeKeys())
	for _, algorithm := range jose.Algorithms() {
		require.NoError(t, b.check(t, b.Mint(testutil.Token{Algorithm: algorithm})), algorithm)
	}
	body, _ := fetch(t, b.JWKS.URL, "")
	var set struct{ Keys []json.RawMessage }
	require.NoError(t, json.Unmarshal(body, &set))
	keys, skipped, err := jose.ParseSet(body)
	require.NoError(t, err)
	own := len(jose.Algorithms())
	assert.Len(t, set.Keys, len(keys)+len(skipped))
	assert.Len(t, keys, own+1, "the one without an id is a good key")
}

// fetch returns the body and the header of a 200.
func fetch(t *testing.T, url, secret string) ([]byte, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+secret)
	reply, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, reply.StatusCode)
	return body, reply.Header
}

func TestThePublishedDocuments(t *testing.T) {
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{jose.ES256, jose.EdDSA, jose.MLDSA44}, KeysMaxAge: time.Minute})
	body, header := fetch(t, issuer.JWKS.URL+"?kty=EC,OKP", "")
	keys, skipped, err := jose.ParseSet(body)
	require.NoError(t, err)
	assert.Empty(t, skipped)
	require.Len(t, keys, 2)
	assert.Equal(t, []string{issuer.KeyID(""), issuer.KeyID(jose.EdDSA)}, []string{keys[0].ID, keys[1].ID})
	assert.Equal(t, "public, max-age=60", header.Get("Cache-Control"))

	body, _ = fetch(t, issuer.Discovery.URL, "")
	var discovered map[string]any
	require.NoError(t, json.Unmarshal(body, &discovered))
	assert.Equal(t, issuer.URL, discovered["issuer"])
	assert.Equal(t, issuer.JWKS.URL+"?kty=RSA,EC,OKP", discovered["jwks_uri"])

	assert.Equal(t, 401, status(testutil.Get(t.Context(), issuer.Denylist.URL, "", nil)), "without the secret")
	issuer.Revoke(clientauth.Revocation{JTI: "one", RevokedAt: 7})
	issuer.Revoke(clientauth.Revocation{SID: "two", RevokedAt: 8})
	for query, want := range map[string]int{"": 2, "?since=1": 1, "?since=2": 0, "?since=9": 2} {
		var list struct {
			Items []clientauth.Revocation
			Seq   int
		}
		body, _ := fetch(t, issuer.Denylist.URL+query, issuer.Secret)
		require.NoError(t, json.Unmarshal(body, &list))
		assert.Len(t, list.Items, want, query)
		assert.NotNil(t, list.Items)
		assert.Equal(t, 2, list.Seq)
	}
	assert.Equal(t, 404, status(testutil.Get(t.Context(), issuer.URL+"/other", "", nil)))
}

// A misused issuer stops its test with a clear word.
func TestMisuse(t *testing.T) {
	issuer := func(tb testing.TB) *testutil.Issuer {
		return testutil.NewIssuer(tb, testutil.IssuerConfig{Algorithms: []string{jose.EdDSA}})
	}
	for name, test := range map[string]struct {
		use  func(testing.TB)
		want string
	}{
		"unknown algorithm": {func(tb testing.TB) { testutil.NewIssuer(tb, testutil.IssuerConfig{Algorithms: []string{"HS256"}}) }, `a key for "HS256"`},
		"absent algorithm":  {func(tb testing.TB) { issuer(tb).Mint(testutil.Token{Algorithm: jose.RS256}) }, `no key for "RS256"`},
		"absent key":        {func(tb testing.TB) { issuer(tb).KeyID(jose.RS256) }, `no key for "RS256"`},
		"unknown flaw":      {func(tb testing.TB) { issuer(tb).Mint(testutil.Token{Flaw: "ugly"}) }, `the flaw "ugly"`},
		"no JSON":           {func(tb testing.TB) { issuer(tb).Mint(testutil.Token{Claims: map[string]any{"f": func() {}}}) }, "a part of a token"},
		"no jti": {func(tb testing.TB) {
			i := issuer(tb)
			i.RevokeToken(i.Mint(testutil.Token{Claims: map[string]any{"jti": nil}}))
		}, "without a jti"},
		"no token": {func(tb testing.TB) { issuer(tb).RevokeToken("x") }, "without a jti"},
	} {
		assert.Contains(t, fatal(t, test.use), test.want, name)
	}
}

// stopped is a test that records how it failed.
type stopped struct {
	testing.TB
	text string
}

func (s *stopped) Fatalf(format string, args ...any) {
	s.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func fatal(t *testing.T, use func(testing.TB)) string {
	s := &stopped{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		use(s)
	}()
	<-done
	return s.text
}
