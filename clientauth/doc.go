// Package clientauth protects the routes of an echo app with bearer tokens. [Module] is for fx apps: it reads the section
// auth_client, and a route needs a valid token unless a [Policy] says otherwise.
//
// Package verify validates the tokens; its names are available here too. A service with plain net/http uses package verify
// alone, which depends on neither fx nor echo nor Prometheus.
package clientauth
