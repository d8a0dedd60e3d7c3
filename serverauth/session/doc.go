// Package session starts, refreshes and ends sessions, independent of HTTP.
//
// A [Service] gets the claims of a subject, stores the row of the session and issues the tokens. A refresh does everything that can
// fail before it rotates the row, so that a refresh that fails does not use up the refresh token. The rows have a MAC, so that a
// change in the database gives nobody additional rights (see [Store]).
package session
