package app

import (
	"log/slog"
	"slices"
	"strings"
)

// StartFacts returns attributes of a module for the log record of the start. A module adds them to the fx value group
// "picoauth.start".
type StartFacts func() []slog.Attr

// modules are the names of the fx modules of the graph.
type modules []string

// record returns the attributes of the start's log record.
func (p serveParams) record() []any {
	attributes := []any{slog.String("version", Version), slog.String("modules", strings.Join(p.Modules, ", ")), slog.Int("max_connections", p.Server.maxConnections())}
	for _, facts := range p.Facts {
		for _, attribute := range facts() {
			attributes = append(attributes, attribute)
		}
	}
	return attributes
}

// warnOfOpenRoutes logs one warning, with the first route, if the application has routes of its own but is without clientauth.
func (p serveParams) warnOfOpenRoutes() {
	if slices.Contains(p.Modules, "clientauth") {
		return
	}
	for _, route := range p.Echo.Routes() {
		if !slices.Contains(p.Public, route) && !isOwnHandler(route.Name) {
			p.Logger.Warn("routes of this application are open to everybody: the clientauth module is missing", "route", route.Method+" "+route.Path)
			return
		}
	}
}

// isOwnHandler reports whether a route's handler, by the name that echo gives it, is one of package app, or of serverauth and its
// subpackages.
func isOwnHandler(handler string) bool {
	name, ofProject := strings.CutPrefix(handler, projectPath)
	return ofProject && (strings.HasPrefix(name, "app.") || strings.HasPrefix(name, "serverauth.") || strings.HasPrefix(name, "serverauth/"))
}
