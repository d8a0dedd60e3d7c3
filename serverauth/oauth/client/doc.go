// Package client knows the OAuth clients: the programs that ask a person, through the authorization server, for tokens.
//
// A client is written in the configuration (oauth.clients), added by an operator while the server runs ([Admin]), has
// registered itself ([Registration], RFC 7591), or describes itself in a document whose URL is its client_id. [Registry.Find]
// finds it by its client_id, and [Authenticator] tells whether a request is one of its own. What a client may do is all in
// [Client]: the redirect URIs that it may name, the grants, scopes and resources that it may ask for, and how it
// authenticates. Nothing is allowed that is not written there.
//
// What strangers name (documents and key sets) is fetched from public addresses only, which is checked on the connection:
// nobody has the server ask its own network. Rows of the store carry a MAC: whoever writes to the database makes no client.
//
// Redirect URIs are compared character by character, since a code that is sent to any other place is stolen. The one
// exception is the port of a loopback address, which a program on the person's own machine does not choose (RFC 8252,
// section 7.3).
package client
