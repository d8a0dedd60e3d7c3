package app

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// Version is the version of picoauth.
const Version = "1.0.0"

const versionPath = "/version"

// BuildInfo describes the build of the program.
type BuildInfo struct {
	Version string `json:"version"`
	// Revision is the commit of the program's source, followed by "+changes" if files were changed; empty if the build did not
	// record it.
	Revision string `json:"revision"`
	// Go is the version of the Go toolchain.
	Go string `json:"go"`
}

// ReadBuildInfo returns the build information of the running program.
func ReadBuildInfo() BuildInfo {
	build := BuildInfo{Version: Version, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build
	}
	changed := false
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			build.Revision = setting.Value
		case "vcs.modified":
			changed = setting.Value == "true"
		}
	}
	if changed && build.Revision != "" {
		build.Revision += "+changes"
	}
	return build
}

// registerVersion adds GET /version. A route of the application takes precedence, whichever is registered first.
func registerVersion(e *echo.Echo) []*echo.Route {
	if slices.ContainsFunc(e.Routes(), func(r *echo.Route) bool { return r.Method == http.MethodGet && r.Path == versionPath }) {
		return nil
	}
	build := ReadBuildInfo()
	return []*echo.Route{e.GET(versionPath, func(c echo.Context) error { return WriteJSON(c.Response(), http.StatusOK, build) })}
}

// yields reports whether another route may replace this one.
func yields(route echo.Route) bool {
	return route.Path == versionPath && strings.HasPrefix(route.Name, projectPath+"app.registerVersion")
}

// newBuildMetric returns a metric with value 1 and the build information as labels.
func newBuildMetric() prometheus.Collector {
	build := ReadBuildInfo()
	metric := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "picoauth_build_info", Help: "Always 1. The labels name the version that is running.",
		ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "go": build.Go},
	})
	metric.Set(1)
	return metric
}
