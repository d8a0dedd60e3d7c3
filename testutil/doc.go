// Package testutil helps to test an app that uses picoauth: a running app on a free port, a clock that obeys, wallets
// that sign, a client that signs in, and replacements that are sure to take effect.
package testutil
