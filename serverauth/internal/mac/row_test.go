package mac_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/picoauth/picoauth/serverauth/internal/mac"
)

func TestRowMACsTellPurposesAndFieldsApart(t *testing.T) {
	secret := []byte("secret")
	sessions := mac.NewRow(func() []byte { return secret }, "session")
	links, others := mac.NewRow(mac.Fixed(secret), "link"), mac.NewRow(mac.Fixed([]byte("another")), "session")
	fields := mac.Fields{}.Texts("ab", "c").Numbers(1)
	assert.Equal(t, sessions.Of(fields), sessions.Of(mac.Fields{}.Texts("ab", "c").Numbers(1)))
	seen := map[[32]byte]bool{sessions.Of(fields): true}
	for _, other := range [][32]byte{
		links.Of(fields), others.Of(fields), sessions.Of(mac.Fields{}.Texts("a", "bc").Numbers(1)),
		sessions.Of(mac.Fields{}.Texts("ab", "c").Numbers(2)), sessions.Of(mac.Fields{}.Texts("ab", "c").Numbers(-1)),
		sessions.Of(mac.Fields{}.Texts("abc").Numbers(1)), sessions.Of(mac.Fields{}.Texts("ab", "c", "").Numbers(1)),
	} {
		assert.False(t, seen[other])
		seen[other] = true
	}
}
