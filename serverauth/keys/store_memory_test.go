package keys_test

import (
	"testing"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func TestMemoryStore(t *testing.T) {
	testStore(t, func(*testing.T) func() keys.Store {
		store := keys.NewMemoryStore()
		return func() keys.Store { return store }
	})
}
