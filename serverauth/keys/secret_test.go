package keys_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func TestSecrets(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	ring := open(t, store, config(c))
	secret, err := ring.Secret(t.Context(), "refresh")
	if err != nil || len(secret) != keys.SecretSize {
		t.Fatalf("%d bytes, %v", len(secret), err)
	}
	other, err := ring.Secret(t.Context(), "audit")
	if err != nil || bytes.Equal(secret, other) {
		t.Fatalf("two names share a secret, %v", err)
	}
	kept := bytes.Clone(secret)
	clear(secret) // a caller's copy is its own
	for name, ring := range map[string]*keys.Ring{"same": ring, "restarted": open(t, store, config(c))} {
		if again, err := ring.Secret(t.Context(), "refresh"); err != nil || !bytes.Equal(again, kept) {
			t.Fatalf("%s: another secret, %v", name, err)
		}
	}
	for _, name := range []string{"", "Refresh", "../x", "-", strings.Repeat("a", 33)} {
		if _, err := ring.Secret(t.Context(), name); err == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
	for _, key := range ring.List() {
		if strings.Contains(key.ID, "refresh") {
			t.Error("a secret is listed as a key")
		}
	}
}
