// Package testutil helps to test an app that uses picoauth: a running app on a free port, a clock that obeys, wallets
// that sign, a client that signs in, replacements that are sure to take effect, an issuer that makes any token and
// misbehaves on demand, and identities for handler tests.
package testutil
