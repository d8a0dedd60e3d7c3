package oauth_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil/services"
)

// kubelogin signs in and refreshes with the arguments of its page, and the API server's authenticator reads its token with the
// flags of the page. The API server wants https, so a proxy with a certificate stands before the auth server.
func TestKubernetes(t *testing.T) {
	kubelogin, apiServer := build(t, "kubernetes", "github.com/int128/kubelogin"), build(t, "kubernetes", ".")
	someone := newPerson(t)
	front := httptest.NewUnstartedServer(nil)
	issuer, dir := "https://"+front.Listener.Addr().String(), t.TempDir()
	subjects := filepath.Join(dir, "subjects.yaml")
	require.NoError(t, os.WriteFile(subjects, []byte(`subjects: [{sub: "`+someone.wallet.Address+`", groups: [k8s-admins]}]`), 0o600))
	upstream, err := url.Parse(runServer(t, documented(t, "kubernetes.md", "yaml"), "SERVER_AUTH__ISSUER="+issuer,
		"SERVER_AUTH__SUBJECTS_FILE="+subjects, "APP__TRUSTED_PROXIES=127.0.0.1"))
	require.NoError(t, err)
	front.Config.Handler = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}}
	front.StartTLS()
	t.Cleanup(front.Close)
	someone.browser.Transport = front.Client().Transport
	ca := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), 0o600))

	_, rest, _ := strings.Cut(documented(t, "kubernetes.md", "yml", documentedIssuer, issuer), "args: [oidc-login, ")
	list, _, found := strings.Cut(rest, "]")
	require.True(t, found)
	arguments := regexp.MustCompile(`,\s*`).Split(list, -1)
	listen := fmt.Sprintf("127.0.0.1:%d", services.FreePort(t))
	arguments = append(arguments, "--certificate-authority="+ca, "--token-cache-dir="+filepath.Join(dir, "cache"), "--listen-address="+listen, "--skip-open-browser")

	login := startProcess(t, exec.CommandContext(t.Context(), kubelogin, arguments...))
	login.await(t, func() bool {
		return strings.Contains(login.String(), "http://"+strings.Replace(listen, "127.0.0.1", "localhost", 1))
	})
	_, err = someone.visit(t.Context(), "http://"+listen, issuer)
	require.NoError(t, err)
	require.Len(t, someone.signed, 1)
	assert.Contains(t, someone.signed[0], "Sign in to Kubernetes (this device)")
	select {
	case <-login.ended:
	case <-time.After(startTime):
		t.Fatal("kubelogin does not end")
	}

	token := func(more ...string) string { // with nobody there
		out, err := exec.CommandContext(t.Context(), kubelogin, append(arguments, append(more, "--authentication-timeout-sec=5")...)...).Output()
		require.NoError(t, err)
		var credential struct{ Status struct{ Token string } }
		require.NoError(t, json.Unmarshal(out, &credential))
		return credential.Status.Token
	}
	kept := token()
	refreshed := token("--force-refresh")
	assert.NotEqual(t, kept, refreshed)

	flags := append(strings.Fields(documented(t, "kubernetes.md", "sh", documentedIssuer, issuer)), "--oidc-ca-file="+ca)
	review := func(token string) (object, error) {
		command := exec.CommandContext(t.Context(), apiServer, flags...)
		command.Stdin = strings.NewReader(token)
		var user object
		out, err := command.Output()
		if err == nil {
			err = json.Unmarshal(out, &user)
		}
		return user, err
	}
	for _, each := range []string{kept, refreshed} {
		user, err := review(each)
		require.NoError(t, err)
		assert.Equal(t, "wallet:"+someone.wallet.Address, user["Name"])
		assert.Equal(t, []any{"wallet:k8s-admins"}, user["Groups"])
	}
	_, err = review(kept[:len(kept)-4] + "AAAA")
	require.Error(t, err, "another signature")
}
