// Package oauth signs in to a running picoauth with the OAuth, OpenID Connect and MCP clients that people use: libraries of
// Go and JavaScript, oauth2-proxy, Apache, kubelogin, the MCP clients and the official MCP conformance suite. It also asks
// another provider, oidc-provider, the same wrong questions, and says where the two differ and why.
//
// It is a module of its own, since nobody else shall carry the peers. Its tests skip what is not installed; with
// PICOAUTH_REQUIRE_SERVICES=1 that is a failure.
package oauth
