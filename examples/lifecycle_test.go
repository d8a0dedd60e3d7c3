package examples_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/picoauth/picoauth/testutil/services"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFailedStartIsOneLineAndExitCodeOne(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	busy := listener.Addr().(*net.TCPAddr).Port
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	require.NoError(t, os.WriteFile(broken, []byte("server_auth:\n  admin_password: hunter2\n  - x\n"), 0o600))
	for _, test := range []struct {
		name, program string
		arguments     []string
		environ       string
		want          string
	}{
		{"busy port", "standalone", nil, fmt.Sprintf("APP__PORT=%d", busy), fmt.Sprintf("cannot listen on 127.0.0.1:%d (app.host, app.port): address already in use", busy)},
		{"busy port", "embedded", nil, fmt.Sprintf("APP__PORT=%d", busy), "address already in use"},
		{"busy port", "resource", nil, fmt.Sprintf("APP__PORT=%d", busy), "address already in use"},
		{"value out of range", "standalone", nil, "SERVER_AUTH__CHALLENGE_TTL_SECONDS=0", "server_auth.challenge_ttl_seconds: 0 is not within 1 to 3600"},
		{"value of another type", "standalone", nil, "SERVER_AUTH__REQUIRE_MESSAGE=perhaps", "server_auth.require_message: "},
		{"unknown key", "standalone", nil, "SERVER_AUTH__ADMIN_PASWORD=hunter2", "server_auth.admin_pasword: unknown key"},
		{"unknown algorithm", "standalone", nil, "SERVER_AUTH__ALGORITHM=none", "server_auth.algorithm: "},
		{"unknown wallet algorithm", "standalone", nil, "SERVER_AUTH__SUPPORTED_WALLET_ALGORITHMS=Ed25519,RSA", `"RSA"`},
		{"weak password", "standalone", nil, "SERVER_AUTH__AUTO_CREATE_ADMIN=true", "server_auth.admin_password: must not be empty"},
		{"fleet role", "standalone", nil, "SERVER_AUTH__FLEET_ROLES=admin", `server_auth.fleet_roles: "admin" is also an operator or admin role`},
		{"key folder", "standalone", nil, "SERVER_AUTH__KEY_DIR=/dev/null", "server_auth.key_dir: "},
		{"missing file", "standalone", []string{"--config", "missing.yaml"}, "", `config file "missing.yaml": no such file or directory`},
		{"missing file of the usual name", "embedded", []string{"--config", "application.yaml"}, "", "application.yaml"},
		{"missing file", "resource", []string{"--config=missing.yaml"}, "", `config file "missing.yaml": no such file or directory`},
		{"broken file", "standalone", []string{"--config", broken}, "", "not valid YAML near line"},
		{"no issuer", "resource", nil, "AUTH_CLIENT__ISSUER=", "auth_client.issuer: must not be empty"},
		{"no audience", "resource", nil, "AUTH_CLIENT__AUDIENCE=", "auth_client.audience: must not be empty"},
		{"a JWKS without TLS", "resource", nil, "AUTH_CLIENT__JWKS_URL=http://issuer.example/jwks", "must be https"},
	} {
		t.Run(test.program+" "+test.name, func(t *testing.T) {
			p := launch(t, test.program, test.arguments, test.environ)
			code, stderr := p.exit()
			state := p.command.ProcessState
			assert.Equal(t, 1, code)
			assert.True(t, strings.HasPrefix(stderr, test.program+": ") && strings.HasSuffix(stderr, "\n") && strings.Count(stderr, "\n") == 1, "one line: %q", stderr)
			assert.Contains(t, stderr, test.want)
			assert.NotContains(t, stderr, "hunter2", "no secret")
			// Of the machine's own time, since the processors may have much else to do.
			assert.Less(t, state.UserTime()+state.SystemTime(), 2*time.Second)
		})
	}
}

func TestHelp(t *testing.T) {
	for program, flags := range map[string][]string{
		"standalone": {"-config"}, "embedded": {"-config"}, "resource": {"-config"}, "walletlogin": {"-url", "-algorithm", "ML-DSA-65", "eip191"},
	} {
		for _, flag := range []string{"--help", "-h"} {
			code, stderr := launch(t, program, []string{flag}).exit()
			assert.Equal(t, 0, code)
			for _, want := range flags {
				assert.Contains(t, stderr, want, program)
			}
		}
	}
	code, stderr := launch(t, "standalone", []string{"--confg", "x"}).exit()
	assert.NotZero(t, code)
	assert.Contains(t, stderr, "flag provided but not defined: -confg")
}

func TestSourcesOfTheConfigurationInTheirOrder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	write("application.yaml", "app:\n  port: 0\nserver_auth:\n  issuer: http://file.test\n  audience: of-the-file\n  operator_roles: [boss, chief]\n")
	other := write("other.yaml", "app:\n  port: 0\nserver_auth:\n  issuer: http://other.test\n")
	issuer := func(p *process) string {
		p.url = "http://" + p.await("listening")["address"].(string)
		body := get(t, p.url+"/.well-known/openid-configuration", "").body
		_, rest, _ := strings.Cut(body, `"issuer":"`)
		name, _, _ := strings.Cut(rest, `"`)
		return name
	}
	file := launchIn(t, dir, "standalone", nil)
	assert.Equal(t, "http://file.test", issuer(file), "application.yaml of the working folder")
	out, err := walletlogin(t, "--url", file.url, "--algorithm", "Ed25519")
	require.NoError(t, err, out)
	assert.Equal(t, "of-the-file", printedClaims(t, out, "access token claims")["aud"])
	environ := []string{"SERVER_AUTH__ISSUER=http://environment.test"}
	assert.Equal(t, "http://environment.test", issuer(launchIn(t, dir, "standalone", nil, environ...)), "the environment wins over the file")
	assert.Equal(t, "http://other.test", issuer(launchIn(t, dir, "standalone", []string{"--config", other})), "--config takes the place of application.yaml")
	assert.Equal(t, "http://environment.test", issuer(launchIn(t, dir, "standalone", []string{"--config", other}, environ...)))

	empty := launchIn(t, dir, "standalone", nil, "SERVER_AUTH__AUDIENCE=")
	code, stderr := empty.exit()
	assert.Equal(t, 1, code, "an empty value of the environment overrides")
	assert.Contains(t, stderr, "server_auth.audience: must not be empty")
}

// TestSIGTERMLetsARunningRequestFinish stops a server in the middle of a request's body.
func TestSIGTERMLetsARunningRequestFinish(t *testing.T) {
	p := serve(t, "standalone", issuerSettings(services.FreePort(t), "")...)
	address := strings.TrimPrefix(p.url, "http://")
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer connection.Close()
	body := `{"address":"ab"}`
	_, err = fmt.Fprintf(connection, "POST /api/v1/auth/challenge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:5])
	require.NoError(t, err)
	require.Equal(t, 200, get(t, p.url+"/healthz", "").status) // by now the server has taken the other connection too

	require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
	p.await("shutting down")
	require.Eventually(t, func() bool {
		other, err := net.Dial("tcp", address)
		if err == nil {
			other.Close()
		}
		return err != nil
	}, patience, 20*time.Millisecond, "the port is closed")
	_, err = io.WriteString(connection, body[5:])
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, 200, response.StatusCode)
	assert.Contains(t, string(text), `"challenge":"`)
	code, stderr := p.exit()
	assert.Equal(t, 0, code)
	assert.Empty(t, stderr)
}
