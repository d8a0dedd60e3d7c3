package serverauth

import (
	"testing"

	"github.com/picoauth/picoauth/serverauth/internal/cores"
	"github.com/stretchr/testify/require"
)

func TestSeatsAreGivenBack(t *testing.T) {
	a := newAdmission(make(cores.Cores, 2), uncounted(t))
	var leaves []func()
	for range 2 * seatsPerCore {
		_, leave, err := a.enter(t.Context())
		require.NoError(t, err)
		leaves = append(leaves, leave)
	}
	_, _, err := a.enter(t.Context())
	require.ErrorIs(t, err, errOverloaded)
	leaves[0]()
	_, _, err = a.enter(t.Context())
	require.NoError(t, err)
}

// Whoever waits for another server holds no seat, and finds one again or is refused.
func TestNoSeatOutside(t *testing.T) {
	a := newAdmission(make(cores.Cores, 1), uncounted(t))
	ctx, leave, err := a.enter(t.Context())
	require.NoError(t, err)
	require.Len(t, a.seats, 1)
	require.NoError(t, cores.Outside(ctx, func() error {
		require.Empty(t, a.seats)
		return cores.Outside(ctx, func() error { return nil })
	}))
	require.Len(t, a.seats, 1)
	require.ErrorIs(t, cores.Outside(ctx, func() error {
		for range seatsPerCore {
			_, _, err := a.enter(t.Context())
			require.NoError(t, err)
		}
		return nil
	}), errOverloaded)
	leave()
	require.Len(t, a.seats, seatsPerCore, "a seat that was not found is not given back")
	require.ErrorIs(t, cores.Outside(t.Context(), func() error { return errOverloaded }), errOverloaded, "without a seat")
}

// uncounted are instruments that no registry reads.
func uncounted(t *testing.T) *Instruments {
	t.Helper()
	metrics, err := NewInstruments(nil)
	require.NoError(t, err)
	return metrics
}
