package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// member is one member of the outermost object of a body.
type member struct {
	name  []byte // without quotes and escapes
	value []byte // as it stands in the body
	plain bool   // the value is a string without escapes
}

// membersOf takes a body apart that must be exactly one object without a repeated name. It adds to members, which may
// have room already.
func membersOf(body []byte, members []member) ([]member, error) {
	if !utf8.Valid(body) {
		return nil, badBody("invalid_json", "request body is not valid UTF-8")
	}
	members, ok := scanObject(body, members)
	if !ok {
		return nil, objectProblem(body)
	}
	if repeated := repeatedName(members); repeated != nil {
		return nil, badBody("duplicate_field", fmt.Sprintf("field %s is given twice", printable(string(repeated))))
	}
	return members, nil
}

// scanObject reads a body once. False is for whatever is not one object in valid JSON (RFC 8259), which encoding/json
// can explain.
func scanObject(body []byte, members []member) ([]member, bool) {
	at := skipSpace(body, 0)
	if at == len(body) || body[at] != '{' {
		return nil, false
	}
	at = skipSpace(body, at+1)
	if at < len(body) && body[at] == '}' {
		return members, skipSpace(body, at+1) == len(body)
	}
	for at < len(body) {
		var m member
		if at = m.scan(body, at); at < 0 || at == len(body) {
			return nil, false
		}
		members = append(members, m)
		switch body[at] {
		case ',':
			at = skipSpace(body, at+1)
		case '}':
			return members, skipSpace(body, at+1) == len(body)
		default:
			return nil, false
		}
	}
	return nil, false
}

// scan reads the member that begins at a place, and returns the place after it and white space, or -1.
func (m *member) scan(body []byte, at int) int {
	end, plain := scanString(body, at)
	if end < 0 {
		return -1
	}
	m.name = body[at+1 : end-1]
	if !plain {
		m.name = unquote(body[at:end])
	}
	if at = skipSpace(body, end); at == len(body) || body[at] != ':' {
		return -1
	}
	if at = skipSpace(body, at+1); at == len(body) {
		return -1
	}
	if body[at] == '"' {
		end, m.plain = scanString(body, at)
	} else {
		end = scanOther(body, at)
	}
	if end < 0 {
		return -1
	}
	m.value = body[at:end]
	return skipSpace(body, end)
}

func skipSpace(body []byte, at int) int {
	for at < len(body) && (body[at] == ' ' || body[at] == '\t' || body[at] == '\n' || body[at] == '\r') {
		at++
	}
	return at
}

// scanOther returns the end of the value at a place that is no string, or -1 for what is no valid value.
func scanOther(body []byte, at int) int {
	end := otherEnd(body, at)
	if end < 0 || !json.Valid(body[at:end]) {
		return -1
	}
	return end
}

// otherEnd finds the comma or the brace that ends the value at a place, or -1.
func otherEnd(body []byte, at int) int {
	for depth := 0; at < len(body); at++ {
		switch body[at] {
		case '"':
			end, _ := scanString(body, at)
			if end < 0 {
				return -1
			}
			at = end - 1
		case '{', '[':
			depth++
		case ',':
			if depth == 0 {
				return at
			}
		case '}', ']':
			if depth == 0 {
				return at
			}
			depth--
		}
	}
	return -1
}

// fewMembers is up to how many members comparing each with each is the fastest.
const fewMembers = 32

// repeatedName returns a name that two members have, or nil.
func repeatedName(members []member) []byte {
	if len(members) > fewMembers {
		seen := make(map[string]struct{}, len(members))
		for _, m := range members {
			if _, repeated := seen[string(m.name)]; repeated {
				return m.name
			}
			seen[string(m.name)] = struct{}{}
		}
		return nil
	}
	var marks uint64 // of the names so far: of a name with a new mark there is no other
	for i := range members {
		name := members[i].name
		mark := nameMark(name)
		if marks&mark != 0 && hasName(members[:i], name) {
			return name
		}
		marks |= mark
	}
	return nil
}

// nameMark is one of 64 bits, and mostly another for another name.
func nameMark(name []byte) uint64 {
	if len(name) == 0 {
		return 1
	}
	return 1 << ((7*len(name) + int(name[0]) + 5*int(name[len(name)-1])) % 64)
}

func hasName(members []member, name []byte) bool {
	for i := range members {
		if bytes.Equal(members[i].name, name) {
			return true
		}
	}
	return false
}
