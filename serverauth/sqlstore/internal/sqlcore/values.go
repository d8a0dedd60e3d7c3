package sqlcore

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
)

// text encodes a text for a column: as bytes, or NULL if it is empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// hash is a short hash for index lookups, NULL for an empty text. It is not unique.
func hash(s string) any {
	if s == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(s))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// digest identifies a text where the identifier must be unique.
func digest(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// texts returns the destinations of columns that text encoded.
func texts(into ...*string) []any {
	columns := make([]any, len(into))
	for i, s := range into {
		columns[i] = orZero(s)
	}
	return columns
}

// orZero returns the destination of a column that may be NULL, for which it stores the zero value.
func orZero[T any](into *T) any { return &nullable[T]{into} }

type nullable[T any] struct{ into *T }

// Scan implements sql.Scanner.
func (n *nullable[T]) Scan(value any) error {
	var found sql.Null[T]
	err := found.Scan(value)
	*n.into = found.V
	return err
}

// fixed is the destination of a column whose size is that of the slice. A value of another size is left out.
type fixed []byte

// Scan implements sql.Scanner.
func (f *fixed) Scan(value any) error {
	if found, ok := value.([]byte); ok && len(found) == len(*f) {
		copy(*f, found)
	}
	return nil
}

// then returns a Scan that copies more columns after its own.
func (scan Scan) then(more ...any) Scan {
	return func(dest ...any) error { return scan(append(dest, more...)...) }
}

// one returns a Read for a statement that returns one row or none.
func one[T any](into *T, read func(Scan) (T, error)) func(Scan) error {
	return func(scan Scan) (err error) {
		*into, err = read(scan)
		return err
	}
}

// collect returns a Read that appends each row.
func collect[T any](into *[]T, read func(Scan) (T, error)) func(Scan) error {
	return func(scan Scan) error {
		row, err := read(scan)
		*into = append(*into, row)
		return err
	}
}
