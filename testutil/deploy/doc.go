// Package deploy checks the files with which the server is deployed (serverauth/cmd/picoauth/deploy) with the parsers of the
// programs that read them: Prometheus's of rules and queries, Kubernetes' types, Compose's loader, BuildKit's linter of
// Dockerfiles, Caddy's adapter; and promtool, where it is installed, tries each alert in an incident. It is a module of its own,
// so that nobody else carries them.
package deploy
