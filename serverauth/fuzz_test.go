package serverauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

// FuzzNonceOpen looks for a nonce that was not made for its address and opens all the same.
func FuzzNonceOpen(f *testing.F) {
	minter := store.NewNonceMinter([store.NonceKeySize]byte{1})
	expires := time.UnixMilli(1_800_000_000_123)
	const owner, genuine = "owner", "01a3185c507b90a8ec23baeae56391d0364ea98e82636d51c770069f32dcc2d7"
	for _, text := range []string{"", "x", genuine, strings.ToUpper(genuine), genuine[:63], genuine + "0", strings.Repeat("0", 64), strings.Repeat("g", 64)} {
		f.Add(owner, text)
		f.Add("", text)
	}
	f.Fuzz(func(t *testing.T, address, text string) {
		id, at, ok := minter.Open(address, text)
		if isGenuine := address == owner && strings.EqualFold(text, genuine); ok != isGenuine {
			t.Fatalf("Open(%q, %q): %v", address, text, ok)
		}
		if ok && (!at.Equal(expires) || id == store.NonceID{}) || !ok && id != (store.NonceID{}) {
			t.Fatalf("Open(%q, %q): %x %s", address, text, id, at)
		}
		fresh := minter.Mint(address, expires)
		if _, at, ok := minter.Open(address, fresh); !ok || !at.Equal(expires) {
			t.Fatalf("%q does not open for %q", fresh, address)
		}
	})
}
