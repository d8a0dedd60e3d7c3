package testutil

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
)

// LogRecords is a writer for a JSON slog.Handler whose records a test reads. Its zero value is empty.
type LogRecords struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *LogRecords) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns all that was written.
func (l *LogRecords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Of returns the records with that message, oldest first.
func (l *LogRecords) Of(tb testing.TB, message string) (records []map[string]any) {
	tb.Helper()
	for line := range strings.Lines(l.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			tb.Fatalf("a log line that is not JSON: %v: %s", err, line)
		}
		if record["msg"] == message {
			records = append(records, record)
		}
	}
	return records
}
