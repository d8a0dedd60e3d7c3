package oauth_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/testutil"
)

// TestTheLogSaysOnWhatConsent: the records of a consent, of its tokens and of a code that was stolen name the same consent,
// and each attribute once, so that a strict reader of JSON takes them.
func TestTheLogSaysOnWhatConsent(t *testing.T) {
	var log testutil.LogRecords
	s := startServer(t, nil, nil, fx.Decorate(func(*slog.Logger) *slog.Logger {
		return app.NewLogger(app.Settings{LogFormat: "json", LogLevel: "info"}, &log)
	}))
	asked, w := newAsk(), newWallet(t, "eip191")
	code := s.browser().code(asked, w)
	require.Equal(t, 200, s.exchange(asked, code).StatusCode)
	s.exchange(asked, code).refused(t, 400, "invalid_grant")

	consents := log.Of(t, "oauth_consent")
	require.Len(t, consents, 1)
	consent := consents[0]["consent"]
	assert.Len(t, consent, 43, "a SHA-256 in base64url")
	for _, event := range []string{"oauth_consent", "oauth_tokens", "oauth_code_reused"} {
		records := log.Of(t, event)
		require.Len(t, records, 1, event)
		assert.Equal(t, consent, records[0]["consent"], event)
		assert.Equal(t, w.Address, records[0]["subject"], event)
		assert.Equal(t, "grafana", records[0]["client_id"], event)
	}
	for line := range strings.Lines(log.String()) {
		assert.LessOrEqual(t, strings.Count(line, `"request_id":`), 1, line)
	}
}
