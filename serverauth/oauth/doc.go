// Package oauth makes the auth server an OAuth 2.1 authorization server and an OpenID Provider: any program that supports
// OpenID Connect or MCP can sign its users in with a wallet.
//
//	app.New(serverauth.Module, oauth.Module)
//
// A person allows a request by signing its message with the wallet. The server writes the message for one authorization request:
// it names the program, its host and what it may do, and no other text is accepted. A request that nobody finishes needs no memory:
// the server puts it into the page, with a MAC, and reads it back. Codes need none either, until they are used.
//
// There are no clients until one is configured, registered or accepted by its metadata document (package client).
package oauth
