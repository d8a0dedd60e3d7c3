package sqlcore

import (
	"crypto/sha256"
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

// texts returns the destinations for a scan of columns, and a function that then copies them to the strings.
func texts(into ...*string) (columns []any, keep func()) {
	found := make([][]byte, len(into))
	for i := range found {
		columns = append(columns, &found[i])
	}
	return columns, func() {
		for i, s := range into {
			*s = string(found[i])
		}
	}
}
