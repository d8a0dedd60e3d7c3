package jose

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// str reads a JSON string; at is on its opening quote. A string without escapes is a slice of the text.
func (p *objectParser) str() (string, error) {
	p.at++
	start := p.at
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return p.text[start : p.at-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", p.fail("control character in a string")
		}
	}
	return "", p.fail("string without an end")
}

// escaped reads the rest of a string that began at start, from its first backslash.
func (p *objectParser) escaped(start int) (string, error) {
	var b strings.Builder
	b.WriteString(p.text[start:p.at])
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '"':
			return b.String(), nil
		case c < ' ':
			return "", p.fail("control character in a string")
		case c != '\\':
			b.WriteByte(c)
		default:
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		}
	}
	return "", p.fail("string without an end")
}

var simpleEscapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape reads what follows a backslash.
func (p *objectParser) escape() (rune, error) {
	c := p.peek()
	if p.at++; c != 'u' {
		r, ok := simpleEscapes[c]
		if !ok {
			return 0, p.fail("unknown escape")
		}
		return r, nil
	}
	r, err := p.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !strings.HasPrefix(p.text[p.at:], `\u`) {
		return 0, p.fail("lone surrogate")
	}
	p.at += 2
	low, err := p.hex4()
	if err != nil {
		return 0, err
	}
	pair := utf16.DecodeRune(r, low)
	if pair == '\uFFFD' {
		return 0, p.fail("lone surrogate")
	}
	return pair, nil
}

func (p *objectParser) hex4() (rune, error) {
	if len(p.text)-p.at < 4 {
		return 0, p.fail("short escape")
	}
	value, err := strconv.ParseUint(p.text[p.at:p.at+4], 16, 16)
	if err != nil {
		return 0, p.fail("broken escape")
	}
	p.at += 4
	return rune(value), nil
}
