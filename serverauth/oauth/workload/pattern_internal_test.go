package workload

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMatches(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, text string
		want          bool
	}{
		"equal":                      {"repo:octo/app:ref:refs/heads/main", "repo:octo/app:ref:refs/heads/main", true},
		"another case":               {"repo:octo/app", "repo:Octo/app", false},
		"more behind":                {"repo:octo/app", "repo:octo/app2", false},
		"more before":                {"repo:octo/app", "xrepo:octo/app", false},
		"a prefix":                   {"repo:octo/app:*", "repo:octo/app:ref:refs/heads/main", true},
		"across colons and slashes":  {"system:*:biller", "system:serviceaccount:a/b:c:biller", true},
		"none":                       {"a*b", "ab", true},
		"the ends do not overlap":    {"aba*aba", "ababa", false},
		"a suffix":                   {"*/sa/biller", "spiffe://example.org/ns/a/sa/biller", true},
		"a suffix that is not last":  {"*/sa/biller", "spiffe://example.org/sa/biller/x", false},
		"two in order":               {"a*b*c", "a1b2c", true},
		"two out of order":           {"*b*a*", "a1b", false},
		"the last is the last":       {"a*b", "abcb", true},
		"middle twice":               {"a*bc*bc*d", "abcd", false},
		"a line break":               {"a*b", "a\nb", true},
		"signs of other languages":   {"a.c[x]?", "abcx", false},
		"signs stand for themselves": {"a.c[x]?\\", "a.c[x]?\\", true},
		"anything":                   {"*", "", true},
		"several for one":            {"**", "x", true},
		"a star in the text":         {"a:b", "a:*", false},
	} {
		assert.Equal(t, c.want, matches(c.pattern, c.text), name)
	}
	assert.False(t, matches(strings.Repeat("a*", 500)+"b", strings.Repeat("a", 2000)), "no pattern takes time that grows without bound")
}
