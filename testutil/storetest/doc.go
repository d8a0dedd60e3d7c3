// Package storetest is what every store of serverauth must do, as tests: a backend of your own passes when [Backend]
// does, a single store when [Challenges], [Sessions], [Revocations], [Mints], [Keys], [Clients] or [Used] does.
//
//	func TestMyStore(t *testing.T) {
//		storetest.Sessions(t, func(tb testing.TB, clock app.Clock) storetest.Storage[serverauth.SessionStore] {
//			address := startEmptyServer(tb)
//			return storetest.Storage[serverauth.SessionStore]{
//				Open: func(tb testing.TB) serverauth.SessionStore { return mystore.Open(address, clock) },
//			}
//		})
//	}
//
// The tests race over two handles, which stand for two processes, move the clock, end contexts, crash the storage and
// break the way to it where the [Storage] says how. PICOAUTH_LONG=1 prunes a million rows of each kind and breaks off
// more often.
package storetest
