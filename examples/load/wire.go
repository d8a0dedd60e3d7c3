package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// wire is a connection that costs the client little, so that the server has the machine: requests are sent as they were
// made beforehand, and of a reply only the status, the length and Connection are looked at.
type wire struct {
	host string
	conn net.Conn
	in   *bufio.Reader
}

// send sends a request and returns the status of its reply. After an error the next send has a new connection.
func (w *wire) send(request []byte) (status int, err error) {
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.conn == nil {
		dialer := net.Dialer{Timeout: patience}
		if w.conn, err = dialer.DialContext(context.Background(), "tcp", w.host); err != nil {
			return 0, err
		}
		w.in = bufio.NewReader(w.conn)
	}
	if err := w.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	if _, err := w.conn.Write(request); err != nil {
		return 0, err
	}
	status, last, err := readReply(w.in)
	if err == nil && last {
		w.close()
	}
	return status, err
}

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

var errReply = errors.New("not a reply of HTTP/1.1 with a Content-Length")

// readReply reads a reply to its end. Its length must be in Content-Length, as net/http writes it for short replies.
func readReply(in *bufio.Reader) (status int, last bool, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	code, isReply := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !isReply || len(code) < 3 {
		return 0, false, fmt.Errorf("%w: %q", errReply, line)
	}
	if status, err = strconv.Atoi(string(code[:3])); err != nil {
		return 0, false, fmt.Errorf("%w: %q", errReply, line)
	}
	length := -1
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, fmt.Errorf("%w: %q", errReply, line)
			}
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
	if length < 0 {
		return 0, false, errReply
	}
	_, err = in.Discard(length)
	return status, last, err
}
