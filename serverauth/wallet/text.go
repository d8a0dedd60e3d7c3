package wallet

import (
	"strings"
	"time"
)

// consistsOf reports whether every byte of text is of the class.
func consistsOf(text string, class func(byte) bool) bool {
	for i := range len(text) {
		if !class(text[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHexDigit(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isAlphanumeric(c byte) bool { return isLetter(c) || isDigit(c) }

// isNameChar is for the names of algorithms and the addresses of bare keys.
func isNameChar(c byte) bool { return isAlphanumeric(c) || strings.IndexByte("-_.", c) >= 0 }

// The character classes of CAIP-2 and CAIP-10.
func isNamespaceChar(c byte) bool { return 'a' <= c && c <= 'z' || isDigit(c) || c == '-' }
func isReferenceChar(c byte) bool { return isAlphanumeric(c) || c == '-' || c == '_' }
func isAccountChar(c byte) bool   { return isAlphanumeric(c) || strings.IndexByte("-.%", c) >= 0 }

// parseTime parses an RFC 3339 date-time, in upper or lower case, with any
// fraction and offset. time.Parse alone is more lenient: it accepts a comma as
// the decimal point, and an hour of one digit.
func parseTime(text string) (time.Time, bool) {
	text = strings.ToUpper(text)
	const seconds = len("2006-01-02T15:04:05")
	if len(text) <= seconds || !hasShape(text[:seconds], "0000-00-00T00:00:00") {
		return time.Time{}, false
	}
	offset := text[seconds:]
	if fraction, ok := strings.CutPrefix(offset, "."); ok {
		offset = strings.TrimLeft(fraction, "0123456789")
		if offset == fraction {
			return time.Time{}, false
		}
	}
	if offset != "Z" && !hasShape(offset, "+00:00") && !hasShape(offset, "-00:00") {
		return time.Time{}, false
	}
	if offset != "Z" && (offset[1:3] > "23" || offset[4:] > "59") {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}

// hasShape compares text with a shape in which 0 stands for any digit.
func hasShape(text, shape string) bool {
	if len(text) != len(shape) {
		return false
	}
	for i := range len(text) {
		if shape[i] == '0' && isDigit(text[i]) {
			continue
		}
		if shape[i] == '0' || text[i] != shape[i] {
			return false
		}
	}
	return true
}
