package serverauth

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/stretchr/testify/assert"
)

func FuzzUserAgent(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64)")
	f.Add("\x00\u202e\xff" + strings.Repeat("ä", 300))
	f.Fuzz(func(t *testing.T, header string) {
		text := printableUserAgent(header)
		assert.LessOrEqual(t, len(text), maxUserAgent)
		assert.True(t, utf8.ValidString(text))
		for _, r := range text {
			assert.True(t, unicode.IsPrint(r), "%q", r)
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add(pageAfter(store.Session{StartedAt: 1, ID: "sid"}))
	f.Fuzz(func(t *testing.T, text string) {
		start, sid, ok := readPage(text)
		if !ok {
			return
		}
		again, id, ok := readPage(pageAfter(store.Session{StartedAt: start, ID: sid}))
		assert.True(t, ok && again == start && id == sid)
	})
}
