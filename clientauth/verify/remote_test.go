package verify_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// newTLSServer has a certificate that only itself vouches for, in a file. It is valid for example.com and loopback.
func newTLSServer(t testing.TB, handler http.Handler) (server *httptest.Server, caFile string) {
	t.Helper()
	server = httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = discarded
	server.StartTLS()
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(caFile, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return server, caFile
}

func TestAPrivateAuthorityIsTrusted(t *testing.T) {
	s, l := signers()[jose.EdDSA], &list{}
	l.revoke(verify.Revocation{JTI: "gone"})
	mux := http.NewServeMux()
	mux.HandleFunc("/jwks", serveKeys([]signer{s}))
	mux.HandleFunc("/revoked", l.serve)
	server, caFile := newTLSServer(t, mux)
	for file, want := range map[string]error{caFile: nil, "": verify.ErrKeysUnavailable} {
		client := must(verify.ClientTrusting(file))
		c := newClock()
		cfg := trusting(c, s)
		cfg.Issuers[0].Keys = must(verify.NewRemoteKeySet(verify.RemoteKeySetConfig{URL: server.URL + "/jwks", Client: client, Logger: quiet}))
		cfg.Issuers[0].Denylist = must(verify.NewRemoteDenylist(verify.RemoteDenylistConfig{URL: server.URL + "/revoked", Client: client, Logger: quiet}))
		v := newValidator(t, cfg)
		if _, err := v.Validate(t.Context(), s.Token(claims(nil))); !errors.Is(err, want) {
			t.Errorf("ca_file %q: %v", file, err)
		}
		if _, err := v.Validate(t.Context(), s.Token(claims(object{"jti": "gone"}))); want == nil && !errors.Is(err, verify.ErrTokenRevoked) {
			t.Errorf("revoked: %v", err)
		}
	}
	if _, err := verify.ClientTrusting(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a file that is not there is no error")
	}
}

// environmentChild tells the test that it runs as its own child process: Go reads these variables once.
const environmentChild = "PICOAUTH_TEST_CHILD"

func TestTheEnvironmentIsHonoured(t *testing.T) {
	if os.Getenv(environmentChild) != "" {
		for _, url := range []string{"https://example.com/jwks", "http://issuer.test/jwks"} {
			keys := must(verify.NewRemoteKeySet(verify.RemoteKeySetConfig{URL: url, InsecureAllowHTTP: true, Logger: quiet}))
			if err := keys.Refresh(context.Background()); err != nil {
				t.Errorf("%s: %v", url, err)
			}
		}
		return
	}
	handler := serveKeys([]signer{signers()[jose.EdDSA]})
	issuer, caFile := newTLSServer(t, handler)
	var tunnelled, forwarded atomic.Int64
	proxy := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect && r.Host == "example.com:443":
			tunnelled.Add(1)
			tunnel(w, issuer.Listener.Addr().String())
		case r.URL.Host == "issuer.test":
			forwarded.Add(1)
			handler(w, r)
		default:
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), environmentChild+"=1", "HTTPS_PROXY="+proxy.URL, "HTTP_PROXY="+proxy.URL, "NO_PROXY=", "SSL_CERT_FILE="+caFile)
	output, err := child.CombinedOutput()
	if err != nil || tunnelled.Load() != 1 || forwarded.Load() != 1 {
		t.Errorf("%v, %d tunnelled, %d forwarded: %s", err, tunnelled.Load(), forwarded.Load(), output)
	}
}

// tunnel answers a CONNECT by joining its connection with one to address.
func tunnel(w http.ResponseWriter, address string) {
	to, err := net.Dial("tcp", address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = to.Close()
		return
	}
	go func() { _, _ = io.Copy(to, buffered); _ = to.Close() }()
	_, _ = io.Copy(from, to)
	_ = from.Close()
}
