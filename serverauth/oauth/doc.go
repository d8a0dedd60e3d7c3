// Package oauth makes the auth server an OAuth 2.1 authorization server and an OpenID Provider: any program that speaks
// OpenID Connect or MCP signs its users in with a wallet.
//
//	app.New(serverauth.Module, oauth.Module)
//
// What a person allows is what the wallet signs. The message is the server's own, for one authorization request: it names
// the program, its host and what it may do, and only that text is taken back. A request that nobody finishes costs no
// memory: the server gives it to the page, authenticated, and reads it back. So do codes, until they are spent.
//
// No client is known until one is configured, registered or allowed by metadata document (package client).
package oauth
