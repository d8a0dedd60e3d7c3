package app

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
)

// scanString returns the end of the string that begins at a place, and whether it is without escapes; -1 is for what is
// no valid string.
func scanString(body []byte, at int) (end int, plain bool) {
	if at >= len(body) || body[at] != '"' {
		return -1, false
	}
	length := bytes.IndexByte(body[at+1:], '"')
	if length < 0 {
		return -1, false
	}
	text := body[at+1 : at+1+length]
	if bytes.IndexByte(text, '\\') >= 0 {
		return scanEscaped(body, at), false
	}
	if hasControl(text) {
		return -1, false
	}
	return at + length + 2, true
}

// scanEscaped is scanString for a string with escapes.
func scanEscaped(body []byte, at int) (end int) {
	for at++; at < len(body); at++ {
		switch c := body[at]; {
		case c == '"':
			return at + 1
		case c < 0x20:
			return -1
		case c == '\\':
			if at = skipEscape(body, at); at < 0 {
				return -1
			}
		}
	}
	return -1
}

// skipEscape returns the place of the last character of the escape at a place, or -1.
func skipEscape(body []byte, at int) int {
	if at++; at == len(body) {
		return -1
	}
	if body[at] != 'u' {
		if _, known := escapedLetter(body[at]); !known {
			return -1
		}
		return at
	}
	for range 4 {
		if at++; at == len(body) || !isHexDigit(body[at]) {
			return -1
		}
	}
	return at
}

// escapedLetter returns what a letter stands for after a backslash.
func escapedLetter(letter byte) (meant byte, known bool) {
	switch letter {
	case '"', '\\', '/':
		return letter, true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	}
	return 0, false
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unescape returns the text of a valid string, or false if it has an escape by a number, which encoding/json reads.
func unescape(quoted []byte) (string, bool) {
	var text strings.Builder
	text.Grow(len(quoted))
	for rest := quoted[1 : len(quoted)-1]; ; {
		at := bytes.IndexByte(rest, '\\')
		if at < 0 {
			text.Write(rest)
			return text.String(), true
		}
		meant, known := escapedLetter(rest[at+1])
		if !known {
			return "", false
		}
		text.Write(rest[:at])
		text.WriteByte(meant)
		rest = rest[at+2:]
	}
}

// hasControl reports whether text has a byte below 0x20, which JSON forbids in a string.
func hasControl(text []byte) bool {
	for ; len(text) >= 32; text = text[32:] {
		if controls(text)|controls(text[8:])|controls(text[16:])|controls(text[24:]) != 0 {
			return true
		}
	}
	for _, c := range text {
		if c < 0x20 {
			return true
		}
	}
	return false
}

// controls is not 0 if one of the first eight bytes of text is below 0x20.
func controls(text []byte) uint64 {
	const each = 0x0101010101010101
	word := binary.LittleEndian.Uint64(text)
	return (word - each*0x20) &^ word & (each * 0x80)
}

// unquote returns the text of a valid string.
func unquote(quoted []byte) []byte {
	var name string
	_ = json.Unmarshal(quoted, &name) // it is valid
	return []byte(name)
}
