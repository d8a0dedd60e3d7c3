package oauth_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	documentation = "../../serverauth/oauth/docs"
	// The server of the pages.
	documentedIssuer = "https://auth.example.com"
)

// documented returns the first block of a language in a page, with texts replaced.
func documented(t *testing.T, page, language string, replacements ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(documentation, page))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```"+language+"\n")
	require.True(t, found, "%s has no block of %s", page, language)
	block, _, found := strings.Cut(rest, "```\n")
	require.True(t, found, "%s: the block of %s does not end", page, language)
	for i := 0; i+1 < len(replacements); i += 2 {
		require.Contains(t, block, replacements[i], "%s, %s", page, language)
	}
	return strings.NewReplacer(replacements...).Replace(block)
}

// The server starts with what each page tells its operator.
func TestEveryPageConfiguresTheServer(t *testing.T) {
	pages, err := filepath.Glob(documentation + "/*.md")
	require.NoError(t, err)
	require.Greater(t, len(pages), 9)
	for _, page := range pages {
		name := filepath.Base(page)
		if name == "README.md" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runServer(t, documented(t, name, "yaml"), "GRAFANA_SECRET="+secret, "WIKI_SECRET="+secret, "OAUTH2_PROXY_CLIENT_SECRET="+secret)
		})
	}
}
