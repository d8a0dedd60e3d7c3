package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil/services"
)

var (
	ruleOfAlert = regexp.MustCompile(`- alert: (\w+)`)
	sentAlert   = regexp.MustCompile(`alertname="(\w+)",alertstate="firing"`)
)

// TestEveryAlertIsSentInItsIncident runs Prometheus's own evaluation: each alert in an incident, and none while all is well.
func TestEveryAlertIsSentInItsIncident(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		services.Missing(t, "promtool is NOT installed (Debian: prometheus), so the alerts were NOT tried")
	}
	incidents, err := os.ReadFile("testdata/alerts.test.yaml")
	require.NoError(t, err)
	dir, rules := t.TempDir(), read(t, "alerts.yaml")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "alerts.yaml"), rules, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "test.yaml"), incidents, 0o600))
	for _, arguments := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "test.yaml"}} {
		command := exec.CommandContext(t.Context(), promtool, arguments...)
		command.Dir = dir
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	sent := map[string]bool{}
	for _, match := range sentAlert.FindAllSubmatch(incidents, -1) {
		sent[string(match[1])] = true
	}
	alerts := ruleOfAlert.FindAllSubmatch(rules, -1)
	require.NotEmpty(t, alerts)
	for _, alert := range alerts {
		assert.True(t, sent[string(alert[1])], "%s has no incident", alert[1])
	}
}
