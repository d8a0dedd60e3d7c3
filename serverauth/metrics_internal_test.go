package serverauth

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMintsWithoutRoomAreCounted(t *testing.T) {
	audit, err := NewAuditRecorder(AuditConfig{Store: NewInMemoryMintStore(), Key: make([]byte, AuditKeySize), Buffer: 2})
	require.NoError(t, err)
	for range 5 {
		audit.Record(Mint{ExpiresAt: 900})
	}
	pending, dropped := audit.counts()
	assert.Equal(t, []int64{2, 3}, []int64{pending, dropped})
	require.NoError(t, audit.Flush(t.Context()))
	pending, dropped = audit.counts()
	assert.Equal(t, []int64{0, 3}, []int64{pending, dropped}, "what is lost stays lost")
}
