package revocation

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/store"
)

// A list whose store could not be read for too long is none.
func TestADenylistThatIsTooOldSaysSo(t *testing.T) {
	d := NewDenylist(DenylistConfig{Store: store.NewInMemoryRevocationStore(), Log: slog.New(slog.DiscardHandler)})
	_, err := d.Denied(t.Context(), clientauth.TokenRef{ID: "any"})
	require.ErrorIs(t, err, clientauth.ErrDenylistUnavailable, "it was never read")
	require.NoError(t, d.Sync(t.Context()))
	_, err = d.Denied(t.Context(), clientauth.TokenRef{ID: "any"})
	require.NoError(t, err)

	old := time.Now().Add(-denylistMaxAge - time.Second)
	d.synced.Store(&old)
	_, err = d.Denied(t.Context(), clientauth.TokenRef{ID: "any"})
	require.ErrorIs(t, err, clientauth.ErrDenylistUnavailable)
}
