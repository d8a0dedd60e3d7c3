package serverauth

import (
	"cmp"
	"encoding/binary"
	"slices"
)

const (
	segmentRows    = 4096 // a power of two: a row's place is the low bits of its keys in the index
	segmentRowMask = segmentRows - 1
	maxSegmentText = 64 << 20
)

// mintSegment is a part of an InMemoryMintStore: rows in a compact form, and what finds them.
type mintSegment struct {
	rows []mintRow
	text []byte // of all rows
	// index has for each key of a row its hash, with the row's place in the low bits.
	index  []uint64
	sorted bool
}

type mintRow struct {
	seq int64
	mac AuditMAC
	end uint32 // of its text; it begins where the one before ends
}

func (g *mintSegment) full() bool {
	return len(g.rows) == segmentRows || len(g.text) >= maxSegmentText
}

// shrink gives spare room back and sorts the index.
func (g *mintSegment) shrink() {
	slices.Sort(g.index)
	g.sorted = true
	g.rows, g.text, g.index = slices.Clone(g.rows), slices.Clone(g.text), slices.Clone(g.index)
}

// rowOf returns the place of the first row with this number or a higher one.
func (g *mintSegment) rowOf(seq int64) int {
	i, _ := slices.BinarySearchFunc(g.rows, seq, func(row mintRow, seq int64) int { return cmp.Compare(row.seq, seq) })
	return i
}

// find returns the places of the rows that may have one of the keys, ascending.
func (g *mintSegment) find(keys [4]uint64) (places []int) {
	for _, key := range keys {
		if key == 0 {
			continue
		}
		from := 0
		if g.sorted {
			from, _ = slices.BinarySearch(g.index, key)
		}
		for _, found := range g.index[from:] {
			if found&^segmentRowMask == key {
				places = append(places, int(found&segmentRowMask))
			} else if g.sorted {
				break
			}
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

func (g *mintSegment) entry(i int) AuditEntry {
	begin := uint32(0)
	if i > 0 {
		begin = g.rows[i-1].end
	}
	row := readRow(g.text[begin:g.rows[i].end])
	row.Seq, row.MAC = g.rows[i].seq, g.rows[i].mac
	return row
}

// appendRow appends what readRow reads: all of a row but its number and its MAC.
func appendRow(b []byte, row AuditEntry) []byte {
	b = binary.AppendVarint(b, row.Lost)
	b = binary.AppendVarint(b, row.Pruned)
	if row.Pruned > 0 {
		return append(b, row.Seal[:]...)
	}
	return appendMint(b, row.Mint)
}

func readRow(b []byte) (row AuditEntry) {
	number := func() int64 {
		n, size := binary.Varint(b)
		b = b[size:]
		return n
	}
	row.Lost, row.Pruned = number(), number()
	if row.Pruned > 0 {
		copy(row.Seal[:], b)
		return row
	}
	m := &row.Mint
	for _, field := range [...]*string{&m.ID, &m.Subject, &m.WalletID, &m.Role, &m.Kind, &m.Scope, &m.AgentID, &m.SessionID} {
		n, size := binary.Uvarint(b)
		end := size + int(n)
		*field = string(b[size:end])
		b = b[end:]
	}
	m.IssuedAt, m.ExpiresAt = number(), number()
	return row
}
