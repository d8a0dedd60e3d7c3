package serverauth

import (
	"testing"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMintsWithoutRoomAreCounted(t *testing.T) {
	recorder, err := audit.NewRecorder(audit.Config{Store: audit.NewMemoryStore(), Key: mac.Fixed(make([]byte, audit.KeySize)), Buffer: 2})
	require.NoError(t, err)
	for range 5 {
		recorder.Record(audit.Mint{ExpiresAt: 900})
	}
	pending, dropped := recorder.Counts()
	assert.Equal(t, []int64{2, 3}, []int64{pending, dropped})
	require.NoError(t, recorder.Flush(t.Context()))
	pending, dropped = recorder.Counts()
	assert.Equal(t, []int64{0, 3}, []int64{pending, dropped}, "what is lost stays lost")
}
