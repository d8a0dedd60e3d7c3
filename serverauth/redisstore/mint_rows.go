package redisstore

import (
	"encoding/binary"
	"fmt"

	"github.com/picoauth/picoauth/serverauth/audit"
)

// Kinds of rows: the first byte. The scripts use them too.
const (
	rowOfMint       = 'm'
	rowOfGap        = 'g'
	rowOfCheckpoint = 'c'
)

// auditBeginning is what follows the kind of a row: its number, so that no two rows are equal, and its MAC.
func auditBeginning(row audit.Entry) []byte {
	return append(fmt.Appendf(nil, "%d ", row.Seq), row.MAC[:]...)
}

// appendAudit appends what readAudit reads.
func appendAudit(b []byte, row audit.Entry) []byte {
	kind := byte(rowOfMint)
	switch {
	case row.Pruned > 0:
		kind = rowOfCheckpoint
	case row.Lost > 0:
		kind = rowOfGap
	}
	b = append(append(b, kind), auditBeginning(row)...)
	b = binary.AppendVarint(b, row.Lost)
	b = binary.AppendVarint(b, row.Pruned)
	if row.Pruned > 0 {
		return append(b, row.Seal[:]...)
	}
	b = appendTexts(b, mintTexts(&row.Mint))
	b = binary.AppendVarint(b, row.Mint.IssuedAt)
	b = binary.AppendVarint(b, row.Mint.ExpiresAt)
	b = appendTexts(b, laterMintTexts(&row.Mint))
	if row.Mint.Act != "" {
		b = appendText(b, string(row.Mint.Act))
	}
	return b
}

func readAudit(text string) (row audit.Entry, err error) {
	if text == "" {
		return row, errDamaged
	}
	r := rowReader{rest: text[1:]}
	row.Seq = r.decimal()
	copy(row.MAC[:], r.fixed(int64(len(row.MAC))))
	row.Lost, row.Pruned = r.number(), r.number()
	if row.Pruned > 0 {
		copy(row.Seal[:], r.fixed(int64(len(row.Seal))))
		return row, r.end()
	}
	r.texts(mintTexts(&row.Mint))
	row.Mint.IssuedAt, row.Mint.ExpiresAt = r.number(), r.number()
	if r.rest == "" {
		return row, r.end() // written by a version without these fields
	}
	r.texts(laterMintTexts(&row.Mint))
	if r.rest != "" {
		row.Mint.Act = audit.Act(r.text())
	}
	return row, r.end()
}

func mintTexts(m *audit.Mint) []*string {
	return []*string{&m.ID, &m.Subject, &m.WalletID, &m.Role, &m.Kind, &m.Scope, &m.AgentID, &m.SessionID}
}

// laterMintTexts are at the end of a row.
func laterMintTexts(m *audit.Mint) []*string {
	return []*string{&m.ClientID, &m.RequestID, &m.Client}
}

func readAudits(texts []string) ([]audit.Entry, error) {
	rows := make([]audit.Entry, 0, len(texts))
	for _, text := range texts {
		row, err := readAudit(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, mintRows)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// headText encodes a head. The head of an empty audit is empty, like a missing key.
func headText(head audit.Head) string {
	if head == (audit.Head{}) {
		return ""
	}
	return fmt.Sprintf("%d %s", head.Seq, head.MAC)
}

func readHead(text string) (head audit.Head, err error) {
	if text == "" {
		return head, nil
	}
	r := rowReader{rest: text}
	head.Seq = r.decimal()
	if err := head.MAC.UnmarshalText([]byte(r.rest)); r.bad || err != nil {
		return audit.Head{}, fmt.Errorf("%w: %s", errDamaged, mintHead)
	}
	return head, nil
}
