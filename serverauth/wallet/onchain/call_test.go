package onchain

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	require.NoError(t, err)
	return raw
}

// TestCallsAreThoseOfViem holds the encoding against vectors that another library made.
func TestCallsAreThoseOfViem(t *testing.T) {
	text, err := os.ReadFile("testdata/calls.json")
	require.NoError(t, err)
	var vectors struct {
		Calls []struct{ Address, Digest, Signature, To, Data, Arguments string }
	}
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.Len(t, vectors.Calls, 8)
	for _, v := range vectors.Calls {
		q := ask([20]byte(unhex(t, v.Address)), [32]byte(unhex(t, v.Digest)), unhex(t, v.Signature))
		if v.To != "" {
			assert.Equal(t, unhex(t, v.To), q.to)
			assert.Equal(t, v.Data, "0x"+hex.EncodeToString(q.data))
			assert.Equal(t, "1626ba7e"+strings.Repeat("00", 28), hex.EncodeToString(q.yes))
			continue
		}
		assert.Nil(t, q.to)
		code, arguments := q.data[:len(validatorCode)], q.data[len(validatorCode):]
		assert.Equal(t, validatorCode, code)
		assert.Equal(t, v.Arguments, hex.EncodeToString(arguments))
		assert.Equal(t, []byte{1}, q.yes)
	}
}
