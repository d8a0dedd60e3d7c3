// Package console has two groups of pages: the console, on which operators see and end what goes on, and the account, on which
// everybody sees their own wallets, sessions and applications.
//
// The pages are a client of the server's own HTTP interface, which they call in this process with the token of whoever is
// signed in: they can do nothing that the interface does not let that person do, and what they do is limited, logged and
// counted like any request. A browser has the person's refresh token in a cookie that no script reads; access tokens do not
// leave the process.
package console
