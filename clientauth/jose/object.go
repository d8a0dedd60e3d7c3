package jose

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep objects and lists may nest in a token's JSON.
const MaxDepth = 32

// ParseObject reads one JSON object (RFC 8259) the way a signed document has to be read: a repeated member name at any
// depth, invalid UTF-8, a lone surrogate, a number beyond a float64, nesting deeper than [MaxDepth] and anything after
// the object are an [ErrMalformed]. Values are what encoding/json makes: map[string]any, []any, string, float64, bool
// and nil. Strings may share memory with text.
func ParseObject(text string) (map[string]any, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: JSON is not UTF-8", ErrMalformed)
	}
	p := objectParser{text: text}
	p.space()
	if p.peek() != '{' {
		return nil, fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	object, err := p.object(1)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at != len(text) {
		return nil, p.fail("data after the object")
	}
	return object, nil
}

// objectParser is a recursive descent over text; at is the next byte.
type objectParser struct {
	text string
	at   int
}

func (p *objectParser) fail(what string) error {
	return fmt.Errorf("%w: JSON: %s at byte %d", ErrMalformed, what, p.at)
}

// peek returns the next byte, or 0 at the end.
func (p *objectParser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// space skips white space.
func (p *objectParser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// next skips white space and takes one byte, which must be want.
func (p *objectParser) next(want byte) error {
	if p.space(); p.peek() != want {
		return p.fail("expected " + strconv.QuoteRune(rune(want)))
	}
	p.at++
	return nil
}

// more reads the separator after an element: true after a comma, false after the closing byte.
func (p *objectParser) more(closing byte) (bool, error) {
	p.space()
	switch c := p.peek(); {
	case c == ',':
		p.at++
		p.space()
		return true, nil
	case c == closing:
		p.at++
		return false, nil
	}
	return false, p.fail("expected a comma or an end")
}

func (p *objectParser) value(depth int) (any, error) {
	switch c := p.peek(); {
	case c == '"':
		return p.str()
	case c == '{':
		return p.object(depth + 1)
	case c == '[':
		return p.list(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return true, p.literal("true")
	case c == 'f':
		return false, p.literal("false")
	case c == 'n':
		return nil, p.literal("null")
	}
	return nil, p.fail("no value")
}

func (p *objectParser) object(depth int) (map[string]any, error) {
	if depth > MaxDepth {
		return nil, p.fail("nested too deep")
	}
	p.at++
	object := make(map[string]any, p.hint(depth))
	if p.space(); p.peek() == '}' {
		p.at++
		return object, nil
	}
	for {
		if p.peek() != '"' {
			return nil, p.fail("expected a member name")
		}
		name, err := p.str()
		if err != nil {
			return nil, err
		}
		if _, repeated := object[name]; repeated {
			return nil, p.fail("repeated member")
		}
		if err := p.next(':'); err != nil {
			return nil, err
		}
		p.space()
		if object[name], err = p.value(depth); err != nil {
			return nil, err
		}
		if more, err := p.more('}'); !more {
			return object, err
		}
	}
}

// hint is how many members to expect: one in some 48 bytes of a token at its first level, and few inside of it.
func (p *objectParser) hint(depth int) int {
	if depth > 1 {
		return 0
	}
	return len(p.text) / 48
}

func (p *objectParser) list(depth int) ([]any, error) {
	if depth > MaxDepth {
		return nil, p.fail("nested too deep")
	}
	p.at++
	list := []any{}
	if p.space(); p.peek() == ']' {
		p.at++
		return list, nil
	}
	for {
		value, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
		if more, err := p.more(']'); !more {
			return list, err
		}
	}
}

func (p *objectParser) literal(word string) error {
	if !strings.HasPrefix(p.text[p.at:], word) {
		return p.fail("no value")
	}
	p.at += len(word)
	return nil
}

// number reads a number of JSON's grammar that a float64 can hold.
func (p *objectParser) number() (float64, error) {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	if p.peek() == '0' {
		p.at++
	} else if p.digits() == 0 {
		return 0, p.fail("broken number")
	}
	if p.peek() == '.' {
		p.at++
		if p.digits() == 0 {
			return 0, p.fail("broken number")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if p.digits() == 0 {
			return 0, p.fail("broken number")
		}
	}
	value, err := strconv.ParseFloat(p.text[start:p.at], 64)
	if err != nil {
		return 0, p.fail("number out of range")
	}
	return value, nil
}

// digits skips decimal digits and returns how many there were.
func (p *objectParser) digits() int {
	start := p.at
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.at++
	}
	return p.at - start
}
