package redisstore

import (
	"encoding/binary"
	"fmt"

	"github.com/picoauth/picoauth/serverauth"
)

// Kinds of rows, as they begin. The scripts know them too.
const (
	rowOfMint       = 'm'
	rowOfGap        = 'g'
	rowOfCheckpoint = 'c'
)

// auditBeginning is how a row begins after its kind: its number, so that no two rows are the same, and its seal.
func auditBeginning(row serverauth.AuditEntry) []byte {
	return append(fmt.Appendf(nil, "%d ", row.Seq), row.MAC[:]...)
}

// appendAudit appends what readAudit reads.
func appendAudit(b []byte, row serverauth.AuditEntry) []byte {
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
	for _, text := range mintTexts(&row.Mint) {
		b = appendText(b, *text)
	}
	b = binary.AppendVarint(b, row.Mint.IssuedAt)
	return binary.AppendVarint(b, row.Mint.ExpiresAt)
}

func readAudit(text string) (row serverauth.AuditEntry, err error) {
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
	for _, field := range mintTexts(&row.Mint) {
		*field = r.text()
	}
	row.Mint.IssuedAt, row.Mint.ExpiresAt = r.number(), r.number()
	return row, r.end()
}

func mintTexts(m *serverauth.Mint) [8]*string {
	return [...]*string{&m.ID, &m.Subject, &m.WalletID, &m.Role, &m.Kind, &m.Scope, &m.AgentID, &m.SessionID}
}

func readAudits(texts []string) ([]serverauth.AuditEntry, error) {
	rows := make([]serverauth.AuditEntry, 0, len(texts))
	for _, text := range texts {
		row, err := readAudit(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, mintRows)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// headText is a head as it is kept. That of an empty audit is empty, as is the key that is not there.
func headText(head serverauth.AuditHead) string {
	if head == (serverauth.AuditHead{}) {
		return ""
	}
	return fmt.Sprintf("%d %s", head.Seq, head.MAC)
}

func readHead(text string) (head serverauth.AuditHead, err error) {
	if text == "" {
		return head, nil
	}
	r := rowReader{rest: text}
	head.Seq = r.decimal()
	if err := head.MAC.UnmarshalText([]byte(r.rest)); r.bad || err != nil {
		return serverauth.AuditHead{}, fmt.Errorf("%w: %s", errDamaged, mintHead)
	}
	return head, nil
}
