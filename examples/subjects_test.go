package examples_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

// claimsIn reads the claims of a token without checking it.
func claimsIn(t *testing.T, token string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(text, &claims))
	return claims
}

func TestStandaloneKnowsWhoSomebodyIsWithoutGo(t *testing.T) {
	ada, err := testutil.NewWallet("eip191")
	require.NoError(t, err)
	eve, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	const secret = "sixteen or more characters"
	var away atomic.Bool
	directory := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		if away.Load() || r.Header.Get("X-Picoauth-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, `{"name":"Ada Lovelace"}`)
	}))
	defer directory.Close()

	dir := t.TempDir()
	subjects, config := filepath.Join(dir, "subjects.yaml"), filepath.Join(dir, "server.yaml")
	require.NoError(t, os.WriteFile(subjects, []byte("subjects: [{sub: '"+eve.Address+"', blocked: true}]"), 0o600))
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
server_auth:
  subjects:
    - sub: %q
      role: operator
      groups: [ops]
  subjects_file: %q
  claims_url: %q
  claims_secret: %q
`, "eip155:1:"+strings.ToLower(ada.Address), subjects, directory.URL, secret), 0o600))
	p := launch(t, "standalone", []string{"--config", config}, "APP__PORT=0")
	p.url = "http://" + p.await("listening")["address"].(string)

	in, err := testutil.SignIn(t.Context(), p.url, ada)
	require.NoError(t, err)
	claims := claimsIn(t, in.AccessToken)
	assert.Equal(t, []any{"operator", []any{"ops"}, "Ada Lovelace"}, []any{claims["role"], claims["groups"], claims["name"]})
	assert.Equal(t, 200, get(t, p.url+"/api/v1/auth/keys", in.AccessToken).status, "an operator, and no line of Go")

	_, err = testutil.SignIn(t.Context(), p.url, eve)
	assert.ErrorContains(t, err, "subject refused")
	require.NoError(t, os.WriteFile(subjects, []byte("subjects: []"), 0o600))
	_, err = testutil.SignIn(t.Context(), p.url, eve)
	assert.NoError(t, err, "the file was read again")

	refresh := func() reply {
		return call(t, "POST", p.url+"/api/v1/auth/refresh", "", `{"refresh_token":"`+in.RefreshToken+`"}`)
	}
	away.Store(true)
	assert.Equal(t, 503, refresh().status)
	away.Store(false)
	assert.Equal(t, 200, refresh().status, "the token was not used up")
}

func TestStandaloneNamesTheFaultsOfItsSubjects(t *testing.T) {
	config := filepath.Join(t.TempDir(), "server.yaml")
	require.NoError(t, os.WriteFile(config, []byte("server_auth:\n  subjects:\n    - {role: x}\n    - {sub: '0x12'}\n    - {sub: alice.eth}\n    - {sub: '', email: x}\n"), 0o600))
	code, stderr := launch(t, "standalone", []string{"--config", config}, "APP__PORT=0").exit()
	assert.NotZero(t, code)
	for _, fault := range []string{"server_auth.subjects[0].sub: must not be empty", "server_auth.subjects[3].email: is not an e-mail address"} {
		assert.Contains(t, stderr, fault)
	}
}
