package serverauth_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
)

// TestBrokenHTTPIsRefused sends bytes that a client's library would not.
func TestBrokenHTTPIsRefused(t *testing.T) {
	s := startServer(t, nil)
	address := strings.TrimPrefix(s.url, "http://")
	post := "POST " + serverauth.Prefix + "/challenge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for name, text := range map[string]string{
		"nothing":                "\r\n\r\n",
		"no HTTP":                "hello\r\n\r\n",
		"TLS":                    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"no host":                "GET / HTTP/1.1\r\n\r\n",
		"two hosts":              "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"a broken host":          "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
		"HTTP/0.9":               "GET /\r\n",
		"a broken path":          "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"a path of spaces":       "GET / / HTTP/1.1\r\nHost: x\r\n\r\n",
		"no path":                "GET  HTTP/1.1\r\nHost: x\r\n\r\n",
		"a broken method":        "G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
		"a broken header":        "GET / HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n",
		"a zero in a header":     "GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
		"a folded header":        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
		"a huge header":          "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 200_000) + "\r\n\r\n",
		"many headers":           "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 30_000) + "\r\n",
		"a negative length":      post + "Content-Length: -1\r\n\r\n{}",
		"two lengths":            post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
		"a length of text":       post + "Content-Length: two\r\n\r\n{}",
		"a huge length":          post + "Content-Length: 99999999999999999999\r\n\r\n{}",
		"a length of an exabyte": post + "Content-Length: 1000000000000000000\r\n\r\n{}",
		"length and chunks":      post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"broken chunks":          post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
		"a chunk that overflows": post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n",
		"a body that ends early": post + "Content-Length: 20\r\n\r\n{}",
		"an expectation":         post + "Expect: miracles\r\nContent-Length: 2\r\n\r\n{}",
		"a continue":             post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
		"an upgrade":             "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n",
		"an absolute path":       "GET http://evil.example" + serverauth.Prefix + "/keys HTTP/1.1\r\nHost: x\r\n\r\n",
		"an authority":           "CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"an asterisk":            "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, status := range statusesOf(t, address, text) {
				assert.Less(t, status, 500)
			}
		})
	}
	s.signIn(newWallet(t, "Ed25519"))
}

// statusesOf returns the statuses of whatever replies come to the text, after which the client goes away.
func statusesOf(t *testing.T, address, text string) (statuses []int) {
	t.Helper()
	connection, err := net.DialTimeout("tcp", address, 5*time.Second)
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(10*time.Second)))
	_, _ = io.WriteString(connection, text)           // the server may have closed already
	if !strings.Contains(text, "Connection: close") { // or the server would wait for more
		_ = connection.(*net.TCPConn).CloseWrite()
	}
	reader := bufio.NewReader(connection)
	for {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		statuses = append(statuses, response.StatusCode)
	}
}

// TestAClientThatGoesAwayIsNoError ends connections at every point of a request.
func TestAClientThatGoesAwayIsNoError(t *testing.T) {
	s := startServer(t, nil)
	body := encode(t, s.signInBody(newWallet(t, "Ed25519")))
	head := "POST " + serverauth.Prefix + "/sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))
	whole := head + length + string(body)
	for cut := 0; cut < len(whole); cut += 37 {
		for _, status := range statusesOf(t, strings.TrimPrefix(s.url, "http://"), whole[:cut]) {
			assert.Equal(t, http.StatusBadRequest, status, "%q", whole[:cut])
		}
	}
	assert.Equal(t, []int{http.StatusOK}, statusesOf(t, strings.TrimPrefix(s.url, "http://"), head+"Connection: close\r\n"+length+string(body)), "nothing was spent")
}

func TestFleetFieldsAreBounded(t *testing.T) {
	s, _ := operated(t, nil)
	for name, body := range map[string]map[string]any{
		"scope": {"session_id": "s", "agent_id": "a", "scope": strings.Repeat("a", 1025)}, "line feed": {"session_id": "s\n", "agent_id": "a"},
		"space": {"session_id": " s", "agent_id": "a"}, "long": {"session_id": "s", "agent_id": strings.Repeat("a", 257)},
	} {
		assert.Equal(t, "invalid_field", s.fleet(body).json(t)["code"], name)
	}
}
