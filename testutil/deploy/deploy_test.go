package deploy_test

import (
	"bytes"
	"encoding/json"
	"log/slog"

	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode/gzip"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode/zstd"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/rulefmt"
	promql "github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const folder = "../../serverauth/cmd/picoauth/deploy"

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	return text
}

func queries() promql.Parser { return promql.NewParser(promql.Options{}) }

func TestPrometheusTakesTheAlerts(t *testing.T) {
	groups, errs := rulefmt.Parse(read(t, "alerts.yaml"), false, model.UTF8Validation, queries(), slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	require.NotEmpty(t, groups.Groups)
	_, err := config.Load(string(read(t, "compose/prometheus.yaml")), nil)
	require.NoError(t, err)
}

func TestGrafanasQueriesAreRight(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			ID          int
			Type        string
			Title       string
			Description string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(read(t, "dashboard.json"), &dashboard))
	seen := make(map[int]bool)
	taken := make(map[[2]int]string)
	for _, panel := range dashboard.Panels {
		assert.False(t, seen[panel.ID], "two panels %d", panel.ID)
		seen[panel.ID] = true
		for x := panel.GridPos.X; x < panel.GridPos.X+panel.GridPos.W; x++ {
			for y := panel.GridPos.Y; y < panel.GridPos.Y+panel.GridPos.H; y++ {
				assert.Less(t, x, 24, panel.Title)
				assert.Empty(t, taken[[2]int{x, y}], "%s is over another panel", panel.Title)
				taken[[2]int{x, y}] = panel.Title
			}
		}
		if panel.Type == "row" {
			continue
		}
		assert.NotEmpty(t, panel.Description, panel.Title)
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			_, err := queries().ParseExpr(strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
			require.NoError(t, err, panel.Title)
		}
	}
}

func TestComposeTakesTheFile(t *testing.T) {
	dir, err := filepath.Abs(filepath.Join(folder, "compose"))
	require.NoError(t, err)
	options, err := cli.NewProjectOptions([]string{filepath.Join(folder, "compose/compose.yaml")},
		cli.WithEnv([]string{"GRAFANA_CLIENT_SECRET=x"}), cli.WithWorkingDirectory(dir))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"picoauth", "postgres", "redis", "caddy", "prometheus", "grafana"}, project.ServiceNames())
	for _, service := range project.Services {
		for _, c := range service.Configs {
			assert.Contains(t, project.Configs, c.Source, service.Name)
		}
		for _, s := range service.Secrets {
			assert.Contains(t, project.Secrets, s.Source, service.Name)
		}
		if service.Name != "caddy" {
			assert.Empty(t, service.Ports, "only Caddy is reached from outside")
		}
	}
	for name, c := range project.Configs {
		assert.FileExists(t, c.File, name)
	}
	without, err := cli.NewProjectOptions([]string{filepath.Join(folder, "compose/compose.yaml")}, cli.WithWorkingDirectory(dir))
	require.NoError(t, err)
	_, err = without.LoadProject(t.Context())
	assert.ErrorContains(t, err, "run setup.sh")
}

func TestCaddyTakesTheFile(t *testing.T) {
	_, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(read(t, "compose/Caddyfile"), nil)
	require.NoError(t, err)
	assert.Empty(t, warnings)
}

func TestTheDockerfileHasNoFault(t *testing.T) {
	parsed, err := parser.Parse(bytes.NewReader(read(t, "Dockerfile")))
	require.NoError(t, err)
	assert.Empty(t, parsed.Warnings)
	found := []string{}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) { found = append(found, rule+": "+message) }})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	require.NoError(t, err)
	assert.Empty(t, found)
	require.Len(t, stages, 2)
	last := stages[1]
	assert.Contains(t, last.BaseName, "distroless/static")
	var has []string
	for _, command := range last.Commands {
		has = append(has, command.Name())
		if user, ok := command.(*instructions.UserCommand); ok {
			assert.Equal(t, "65532:65532", user.User)
		}
	}
	for _, want := range []string{"USER", "HEALTHCHECK", "ENTRYPOINT", "VOLUME"} {
		assert.Contains(t, has, want)
	}
}

// TestKubernetesTakesTheManifests reads every object into its type; an unknown or misplaced field is an error.
func TestKubernetesTakesTheManifests(t *testing.T) {
	kinds := map[string]any{
		"ServiceAccount": &core.ServiceAccount{}, "Deployment": &apps.Deployment{}, "PodDisruptionBudget": &policy.PodDisruptionBudget{},
		"Service": &core.Service{}, "Ingress": &networking.Ingress{}, "NetworkPolicy": &networking.NetworkPolicy{},
	}
	versions := map[string]string{
		"ServiceAccount": "v1", "Service": "v1", "Deployment": "apps/v1", "PodDisruptionBudget": "policy/v1",
		"Ingress": "networking.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1",
	}
	documents := strings.Split(string(read(t, "kubernetes/picoauth.yaml")), "\n---\n")
	for _, document := range documents {
		var head struct{ APIVersion, Kind string }
		require.NoError(t, yaml.Unmarshal([]byte(document), &head))
		require.Contains(t, kinds, head.Kind)
		assert.Equal(t, versions[head.Kind], head.APIVersion)
		require.NoError(t, yaml.UnmarshalStrict([]byte(document), kinds[head.Kind]), head.Kind)
	}
	assert.Len(t, documents, len(kinds))

	deployment := kinds["Deployment"].(*apps.Deployment)
	pod := deployment.Spec.Template
	container := pod.Spec.Containers[0]
	assert.EqualValues(t, 3, *deployment.Spec.Replicas)
	assert.NotNil(t, container.ReadinessProbe)
	assert.NotNil(t, container.LivenessProbe)
	assert.Equal(t, "/healthz", container.LivenessProbe.HTTPGet.Path, "a storage that is away restarts nobody")
	assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
	assert.Empty(t, container.Env, "secrets come as files")
	for _, selector := range []map[string]string{
		deployment.Spec.Selector.MatchLabels, kinds["Service"].(*core.Service).Spec.Selector,
		kinds["PodDisruptionBudget"].(*policy.PodDisruptionBudget).Spec.Selector.MatchLabels,
		kinds["NetworkPolicy"].(*networking.NetworkPolicy).Spec.PodSelector.MatchLabels,
	} {
		for key, value := range selector {
			assert.Equal(t, value, pod.Labels[key])
		}
	}
	var kustomization struct {
		Resources          []string
		ConfigMapGenerator []struct{ Files []string }
	}
	require.NoError(t, yaml.Unmarshal(read(t, "kubernetes/kustomization.yaml"), &kustomization))
	for _, name := range append(kustomization.Resources, kustomization.ConfigMapGenerator[0].Files...) {
		assert.FileExists(t, filepath.Join(folder, "kubernetes", name))
	}
}
