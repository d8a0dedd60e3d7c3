package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil/services"
)

// From an empty folder to an operator who is signed in by wallet, behind TLS: the commands of OPERATING.md, one by one, with the
// nginx of that page in place of Caddy, and an authority of our own.
func TestFromAnEmptyFolderToAnOperatorBehindTLS(t *testing.T) {
	text, err := os.ReadFile("../../OPERATING.md")
	require.NoError(t, err)
	commands := regexp.MustCompile("(?s)Behind TLS, that is all there is to do:\n\n```sh\n(.*?)```").FindStringSubmatch(string(text))
	server := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindStringSubmatch(string(text))
	require.True(t, commands != nil && server != nil)
	authority, certificate, key := services.Certificate(t)
	dir, front, back := t.TempDir(), "127.0.0.1:"+strconv.Itoa(services.FreePort(t)), strconv.Itoa(services.FreePort(t))
	environ := []string{"SSL_CERT_FILE=" + authority, "APP__PORT=" + back}
	address := ""
	for line := range strings.Lines(commands[1]) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(strings.NewReplacer("auth.example.com", front, "ADDRESS", address).Replace(line))
		switch {
		case words[0] == "caddy":
			services.StartNGINX(t, front, strings.NewReplacer("443", front, "127.0.0.1:8100", "127.0.0.1:"+back, "server_name auth.example.com;", "",
				"/etc/ssl/auth.example.com.pem", certificate, "/etc/ssl/auth.example.com.key", key).Replace(server[1]))
		case words[len(words)-1] == "&":
			await(t, launch(t, dir, environ, words[1:len(words)-1]...), "http://127.0.0.1:"+back)
		default:
			p := launch(t, dir, environ, words[1:]...)
			require.NoError(t, p.Wait(), "%s: %s", line, &p.out)
			switch words[1] {
			case "wallet":
				address = strings.TrimSpace(p.out.String())
			case "init":
				assert.Contains(t, p.out.String(), "caddy reverse-proxy --from "+front)
			case "sessions":
				assert.Contains(t, p.out.String(), address)
			case "doctor":
				assert.Contains(t, p.out.String(), "Nothing is wrong.")
				assert.Contains(t, p.out.String(), "ok       proxies\n")
			}
		}
	}
	assert.Len(t, address, 43)
}
