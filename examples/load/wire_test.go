package main

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadReply(t *testing.T) {
	in := bufio.NewReader(strings.NewReader("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nRetry-After: 1\r\n\r\n{}" +
		"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:0\r\n\r\n"))
	status, last, err := readReply(in)
	require.NoError(t, err)
	assert.Equal(t, 503, status)
	assert.False(t, last)
	status, last, err = readReply(in)
	require.NoError(t, err, "the first one was read to its end")
	assert.Equal(t, 200, status)
	assert.True(t, last)
	_, _, err = readReply(in)
	require.ErrorIs(t, err, io.EOF)

	for _, text := range []string{
		"HTTP/1.1 abc\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		_, _, err := readReply(bufio.NewReader(strings.NewReader(text)))
		assert.ErrorIs(t, err, errReply, text)
	}
	_, _, err = readReply(bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")))
	assert.ErrorIs(t, err, io.EOF, "it was broken off")
}
