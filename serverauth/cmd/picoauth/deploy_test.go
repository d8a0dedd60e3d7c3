package main

import (
	"debug/elf"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/picoauth/picoauth/app"

	"github.com/picoauth/picoauth/testutil/services"
)

var metricName = regexp.MustCompile(`picoauth_[a-z_]+`)

// An alert on a metric that is not there from the start would never fire, and nobody would know.
func TestEveryAlertIsOnAMetricThatAServerHas(t *testing.T) {
	text, err := os.ReadFile("deploy/alerts.yaml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				For                 string
				Labels, Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	require.NoError(t, decoder.Decode(&file))

	url := newServer(t, nil)
	metrics := ""
	for range 2 { // the first scrape is itself a request that is measured
		reply, err := http.Get(url + "/metrics")
		require.NoError(t, err)
		body, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		require.NoError(t, err)
		metrics = string(body)
	}
	rules := 0
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			rules++
			for _, name := range metricName.FindAllString(rule.Expr, -1) {
				assert.Regexp(t, `(?m)^`+name+`[{ ]`, metrics, rule.Alert)
			}
			for _, key := range []string{"summary", "reason", "action"} {
				assert.NotEmpty(t, rule.Annotations[key], "%s: %s", rule.Alert, key)
			}
			assert.Contains(t, []string{"page", "ticket"}, rule.Labels["severity"])
		}
	}
	assert.Equal(t, 9, rules)
	assert.Contains(t, metrics, `picoauth_refreshes_total{outcome="refresh_reused"} 0`)
}

func TestTheUnitIsOneThatSystemdTakes(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		services.Missing(t, "systemd-analyze is NOT installed, so deploy/picoauth.service was NOT verified")
	}
	text, err := os.ReadFile("deploy/picoauth.service")
	require.NoError(t, err)
	binary, err := os.Executable()
	require.NoError(t, err)
	unit := filepath.Join(t.TempDir(), "picoauth.service")
	require.NoError(t, os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/picoauth", binary)), 0o600))
	out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	require.NoError(t, err, "%s", out)
	for line := range strings.SplitSeq(string(out), "\n") {
		assert.NotContains(t, line, "picoauth.service:", "%s", out)
	}
}

// A panel whose metric is gone shows nothing, which looks like peace.
func TestEveryPanelIsOnAMetricThatAServerHas(t *testing.T) {
	text, err := os.ReadFile("deploy/dashboard.json")
	require.NoError(t, err)
	url := newServer(t, nil)
	for range 2 {
		reply, err := http.Get(url + "/metrics")
		require.NoError(t, err)
		body, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		require.NoError(t, err)
		text := string(text)
		text = strings.ReplaceAll(text, "_bucket[", "_count[")
		if strings.Contains(string(body), "picoauth_http_request_duration_seconds_count") {
			for _, name := range metricName.FindAllString(text, -1) {
				assert.Regexp(t, `(?m)^`+name+`[{ ]`, string(body))
			}
			return
		}
	}
	t.Fatal("no request was measured")
}

// The configurations of Compose and Kubernetes are right, but for the secrets that only a deployment has.
func TestTheConfigurationsOfDeploymentsAreRight(t *testing.T) {
	newConsole(t)
	for name, environ := range map[string]map[string]string{
		"compose":    {"AUTH_HOST": "auth.example.com", "GRAFANA_HOST": "grafana.example.com", "GRAFANA_CLIENT_SECRET": strings.Repeat("x", 64)},
		"kubernetes": nil,
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range environ {
				t.Setenv(key, value)
			}
			text, err := os.ReadFile("deploy/" + name + "/application.yaml")
			require.NoError(t, err)
			secrets := t.TempDir()
			for file, value := range map[string]string{
				"storage_url": "postgres://picoauth:password@postgres:5432/picoauth?sslmode=disable\n", "key_encryption_key": randomSecret() + "\n", "admin_password": randomSecret() + "\n",
			} {
				require.NoError(t, os.WriteFile(filepath.Join(secrets, file), []byte(value), 0o600))
			}
			config := write(t, regexp.MustCompile(`/run/secrets/(picoauth/)?`).ReplaceAllString(string(text), secrets+"/"))
			assert.Contains(t, shell{t}.must("config", "check", "--config", config), "no faults")
		})
	}
}

func TestSetupMakesTheSecretsOnce(t *testing.T) {
	dir := t.TempDir()
	script, err := os.ReadFile("deploy/compose/setup.sh")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "setup.sh"), script, 0o700))
	binary, err := os.Executable()
	require.NoError(t, err)
	run := func() string {
		setup := exec.Command(filepath.Join(dir, "setup.sh"))
		setup.Env = append(os.Environ(), "PICOAUTH="+binary, asProgram+"=1")
		out, err := setup.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	first := run()
	password, err := os.ReadFile(filepath.Join(dir, "secrets", "postgres_password"))
	require.NoError(t, err)
	storage, err := os.ReadFile(filepath.Join(dir, "secrets", "storage_url"))
	require.NoError(t, err)
	assert.Equal(t, "postgres://picoauth:"+strings.TrimSpace(string(password))+"@postgres:5432/picoauth?sslmode=disable\n", string(storage))
	info, err := os.Stat(filepath.Join(dir, ".env"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	assert.Equal(t, first, run(), "what is there stays")
	compose, err := os.ReadFile("deploy/compose/compose.yaml")
	require.NoError(t, err)
	for _, match := range regexp.MustCompile(`file: (secrets/\w+)`).FindAllStringSubmatch(string(compose), -1) {
		assert.FileExists(t, filepath.Join(dir, match[1]))
	}
}

// The container has no libraries: what runs in it must be one static file, which Go makes where no package needs C.
func TestTheBinaryOfTheContainerIsStatic(t *testing.T) {
	text, err := os.ReadFile("deploy/Dockerfile")
	require.NoError(t, err)
	command := regexp.MustCompile(`CGO_ENABLED=0 .*go build (-trimpath) (-ldflags=)"(-s -w)" -o /picoauth (\S+)`).FindStringSubmatch(string(text))
	require.NotNil(t, command)
	run := func(arguments ...string) string {
		cmd := exec.Command("go", arguments...)
		cmd.Dir, cmd.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	assert.Empty(t, run("list", "-deps", "-f", "{{range .CgoFiles}}{{.}}{{end}}", command[4]))
	assert.Contains(t, string(text), `CMD ["/usr/bin/picoauth", "health"]`)
	if os.Getenv("PICOAUTH_LONG") != "1" { // a build of everything anew
		return
	}
	binary := filepath.Join(t.TempDir(), "picoauth")
	run("build", command[1], command[2]+command[3], "-o", binary, command[4])
	file, err := elf.Open(binary)
	require.NoError(t, err)
	defer file.Close()
	for _, part := range file.Progs {
		assert.NotEqual(t, elf.PT_INTERP, part.Type)
	}
	out, err := exec.Command(binary, "--version").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), app.Version)
}

func TestKubernetesRunsThisVersion(t *testing.T) {
	text, err := os.ReadFile("deploy/kubernetes/picoauth.yaml")
	require.NoError(t, err)
	assert.Contains(t, string(text), "image: ghcr.io/picoauth/picoauth:"+app.Version+"\n")
}

func TestHealthIsReadiness(t *testing.T) {
	c := newConsole(t)
	assert.Equal(t, "ready\n", c.must("health", "--url", newServer(t, nil)+"/"))
	r := c.run("health", "--url", "http://127.0.0.1:"+strconv.Itoa(services.FreePort(t)))
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "picoauth doctor")
}
