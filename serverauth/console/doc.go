// Package console has two groups of pages. On the console, operators see and end sessions and tokens, and manage keys and
// clients. On the account pages, everybody sees their own wallets, sessions and applications.
//
// The pages are a client of the server's own HTTP API. They call it in this process with the token of the signed-in user,
// so that they can do only what the API allows that user. Every call is rate-limited, logged and counted like any request.
// The browser has the refresh token in an HttpOnly cookie, which scripts cannot read; access tokens do not leave the
// process.
package console
