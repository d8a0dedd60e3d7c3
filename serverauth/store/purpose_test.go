package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

// No two pairs of purpose and address have the same owner, however they are cut.
func TestPurposesNeverMeet(t *testing.T) {
	address := "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
	join := store.NewPurpose("join", "alice")
	purposes := map[string]store.Purpose{
		"sign-in": "", "join": join, "of another": store.NewPurpose("join", "bob"), "of nobody": store.NewPurpose("join"),
		"an empty value": store.NewPurpose("join", ""), "more": store.NewPurpose("join", "alice", "merge"),
		"cut elsewhere": store.NewPurpose("joina", "lice"), "another use": store.NewPurpose("authorize", "alice"),
	}
	addresses := []string{
		"", " ", "  ", address, " " + address, "  " + address, join.Owner(address), " " + join.Owner(address), string(join), string(join)[1:],
		strings.Repeat(" ", 44), strings.Repeat(" ", 45) + address,
	}
	seen := make(map[string]string)
	for name, purpose := range purposes {
		for _, address := range addresses {
			owner := purpose.Owner(address)
			if before, twice := seen[owner]; twice {
				t.Errorf("%s of %q and %s are the same owner", name, address, before)
			}
			seen[owner] = name + " of " + address
		}
	}
	if store.Purpose("").Owner(address) != address {
		t.Error("a sign-in asks the store with something else than the address")
	}
}

// A minter knows a nonce of each purpose, and takes it for none of another.
func TestAMinterTellsPurposes(t *testing.T) {
	minter := store.NewNonceMinter([store.NonceKeySize]byte{1})
	expires := time.UnixMilli(1_800_000_000_000)
	purposes := []store.Purpose{"", store.NewPurpose("join", "alice"), store.NewPurpose("join", "bob"), store.NewPurpose("merge", "alice")}
	for i, made := range purposes {
		for _, address := range []string{"", "a", string(purposes[1])} {
			nonce := minter.Mint(made.Owner(address), expires)
			for j, asked := range purposes {
				if at, ok := minter.Made(asked, nonce); ok != (i == j) || ok && !at.Equal(expires) {
					t.Errorf("a nonce of purpose %d for %q is known as one of %d: %v", i, address, j, ok)
				}
				if _, _, ok := minter.Open(asked.Owner(address), nonce); ok != (i == j) {
					t.Errorf("a nonce of purpose %d for %q opens for %d: %v", i, address, j, ok)
				}
			}
		}
	}
}
