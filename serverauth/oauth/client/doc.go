// Package client has the OAuth clients: the programs that ask a person for tokens, through the authorization server.
//
// A client is configured (oauth.clients), added by an operator while the server runs ([Admin]), registers itself
// ([Registration], RFC 7591), or describes itself in a document whose URL is its client_id. [Registry.Find] finds it by its
// client_id, and [Authenticator] determines which client sent a request. [Client] says how a client authenticates and what it may
// use: redirect URIs, grants, scopes and resources. Everything else is refused.
//
// Documents and key sets of clients that describe themselves are fetched from public addresses only, which is checked on the
// connection: nobody can make the server send requests to its own network (SSRF). The rows of the store have a MAC, so that a
// change in the database cannot add a client.
//
// Redirect URIs are compared character by character, because a code that is sent elsewhere can be stolen. The only exception is
// the port of a loopback address, which a program on the person's own machine cannot choose (RFC 8252, section 7.3).
package client
