package storetest_test

import (
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Backend(t, func(tb testing.TB, clock app.Clock) storetest.Storage[*serverauth.Stores] {
		challenges, err := serverauth.NewInMemoryChallengeStore(serverauth.DefaultServerAuthSettings(), clock)
		if err != nil {
			tb.Fatal(err)
		}
		stores := &serverauth.Stores{
			Challenges: challenges, Sessions: serverauth.NewInMemorySessionStore(), Revocations: serverauth.NewInMemoryRevocationStore(clock),
			Mints: serverauth.NewInMemoryMintStore(), Keys: keys.NewMemoryStore(),
		}
		return storetest.Storage[*serverauth.Stores]{Open: func(testing.TB) *serverauth.Stores { return stores }}
	})
}
