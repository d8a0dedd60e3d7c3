package sqlcore

import (
	"crypto/sha256"
	"encoding/binary"
)

// text is how a text is kept: as bytes, an empty one as NULL.
func text(s string) any {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// hash is what a text is looked up by, NULL for an empty one. Two texts may have the same.
func hash(s string) any {
	if s == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(s))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// digest is what stands for a text where no two may have the same.
func digest(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// texts returns where columns are scanned to, and a function that then copies them to the strings.
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
