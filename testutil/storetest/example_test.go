package storetest_test

import (
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/storetest"
)

// openEmpty returns an empty storage. Each Open of it is one more handle, as another process would have it; the store in
// memory has but one.
func openEmpty(testing.TB, app.Clock) storetest.Storage[serverauth.SessionStore] {
	store := store.NewInMemorySessionStore()
	return storetest.Storage[serverauth.SessionStore]{
		Open: func(testing.TB) serverauth.SessionStore { return store },
	}
}

// The test of a store of your own is one call. TestMemory, beside this file, runs all suites on the stores in memory.
func ExampleSessions() {
	testMyStore := func(t *testing.T) { storetest.Sessions(t, openEmpty) } // func TestMyStore(t *testing.T) in a file of yours
	_ = testMyStore
}
