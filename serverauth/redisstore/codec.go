package redisstore

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// errDamaged is returned for a row that this package did not write, or that has changed since.
var errDamaged = errors.New("redisstore: a row in the database is damaged")

// A row is a fixed sequence of texts and numbers: a text is its length and its bytes, which are arbitrary, and a number is a
// varint. What a script has to read comes first, in decimal.

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendTexts appends what rowReader.texts reads.
func appendTexts(b []byte, fields []*string) []byte {
	for _, field := range fields {
		b = appendText(b, *field)
	}
	return b
}

// rowReader reads a row. After the first error it is bad, and reads nothing more.
type rowReader struct {
	rest string
	bad  bool
}

func (r *rowReader) text() string {
	n, size := binary.Uvarint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	if size <= 0 || n > uint64(len(r.rest)-size) {
		return r.spoil()
	}
	return r.take(size, int(n))
}

// texts reads a text into each of the fields.
func (r *rowReader) texts(fields []*string) {
	for _, field := range fields {
		*field = r.text()
	}
}

func (r *rowReader) number() int64 {
	n, size := binary.Varint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	if size <= 0 {
		r.spoil()
		return 0
	}
	r.take(size, 0)
	return n
}

// fixed reads n bytes.
func (r *rowReader) fixed(n int64) string {
	if n < 0 || n > int64(len(r.rest)) {
		return r.spoil()
	}
	return r.take(0, int(n))
}

// decimal reads a decimal number and the space after it.
func (r *rowReader) decimal() int64 {
	n, err := strconv.ParseInt(r.word(), 10, 64)
	if err != nil {
		r.spoil()
	}
	return n
}

// decimals reads two decimal numbers with a comma in between. Without the comma the second one is 0.
func (r *rowReader) decimals() (first, second int64) {
	one, two, both := strings.Cut(r.word(), ",")
	first, err := strconv.ParseInt(one, 10, 64)
	if both && err == nil {
		second, err = strconv.ParseInt(two, 10, 64)
	}
	if err != nil {
		r.spoil()
	}
	return first, second
}

// counter is decimal for an unsigned number.
func (r *rowReader) counter() uint64 {
	n, err := strconv.ParseUint(r.word(), 10, 64)
	if err != nil {
		r.spoil()
	}
	return n
}

func (r *rowReader) word() string {
	i := strings.IndexByte(r.rest, ' ')
	if i < 0 {
		return r.spoil()
	}
	text := r.rest[:i]
	r.take(i+1, 0)
	return text
}

// end returns errDamaged unless the whole row was read without an error.
func (r *rowReader) end() error {
	if r.bad || r.rest != "" {
		return errDamaged
	}
	return nil
}

// take skips bytes and returns the next n.
func (r *rowReader) take(skip, n int) string {
	text := r.rest[skip : skip+n]
	r.rest = r.rest[skip+n:]
	return text
}

func (r *rowReader) spoil() string {
	r.rest, r.bad = "", true
	return ""
}
