// Package testutil helps to test an app that uses picoauth. It has a running app on a free port, a clock that tests control,
// wallets that sign, a client that signs in, options that replace parts of the app, an issuer that issues valid and invalid
// tokens and fails on demand, and authenticated contexts for tests of handlers.
package testutil
