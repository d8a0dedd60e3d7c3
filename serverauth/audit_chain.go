package serverauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// What a seal is made over begins with one of these, so that none can be taken for another. They change when the
// encoding does.
const (
	sealsEntry      = 1
	sealsCheckpoint = 2
)

// auditSealer makes the seals of the mint audit. It is for one goroutine.
type auditSealer struct {
	mac  hash.Hash
	text []byte
}

func newAuditSealer(key []byte) *auditSealer { return &auditSealer{mac: hmac.New(sha256.New, key)} }

// entry returns the MAC of a mint or gap that follows previous.
func (s *auditSealer) entry(previous AuditMAC, e AuditEntry) AuditMAC {
	s.text = append(append(s.text[:0], sealsEntry), previous[:]...)
	s.text = binary.AppendVarint(s.text, e.Seq)
	s.text = binary.AppendVarint(s.text, e.Lost)
	s.text = appendMint(s.text, e.Mint)
	return s.sum()
}

// checkpoint returns the Seal of a checkpoint in the place of what came after from, up to to.
func (s *auditSealer) checkpoint(from, to AuditHead) AuditMAC {
	s.text = append(append(s.text[:0], sealsCheckpoint), from.MAC[:]...)
	s.text = append(s.text, to.MAC[:]...)
	s.text = binary.AppendVarint(s.text, from.Seq)
	s.text = binary.AppendVarint(s.text, to.Seq)
	return s.sum()
}

func (s *auditSealer) sum() (out AuditMAC) {
	s.mac.Reset()
	s.mac.Write(s.text)
	s.mac.Sum(out[:0])
	return out
}

// chain gives entries their numbers and MACs, from the head on that they follow.
func (s *auditSealer) chain(after AuditHead, entries []AuditEntry) {
	for i := range entries {
		entries[i].Seq = after.Seq + 1
		entries[i].MAC = s.entry(after.MAC, entries[i])
		after = entries[i].Head()
	}
}

// appendMint appends an encoding of which no two mints have the same.
func appendMint(b []byte, m Mint) []byte {
	for _, text := range [...]string{m.ID, m.Subject, m.WalletID, m.Role, m.Kind, m.Scope, m.AgentID, m.SessionID} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	b = binary.AppendVarint(b, m.IssuedAt)
	return binary.AppendVarint(b, m.ExpiresAt)
}

// auditWalk checks rows one after the other.
type auditWalk struct {
	seal *auditSealer
	at   AuditHead // of the row before
}

// next checks the row that follows, and goes on from it whether or not it is right. overlaps says that the row is a
// checkpoint, or a repetition, of rows that were there before.
func (w *auditWalk) next(row AuditEntry) (fault AuditFault, overlaps, ok bool) {
	previous := w.at
	w.at = row.Head()
	from := row.Seq - max(row.Pruned, 1)
	switch {
	case from < previous.Seq:
		return AuditFault{AuditAltered, row.Seq, row.Seq}, true, false
	case from > previous.Seq:
		return AuditFault{AuditRemoved, previous.Seq + 1, from}, false, false
	case !w.sealed(previous, row):
		return AuditFault{AuditAltered, row.Seq, row.Seq}, false, false
	default:
		return AuditFault{}, false, true
	}
}

func (w *auditWalk) sealed(previous AuditHead, row AuditEntry) bool {
	want, got := row, row
	if row.Pruned > 0 {
		want.Mint, want.Lost, want.Seal = Mint{}, 0, w.seal.checkpoint(previous, row.Head())
	} else {
		want.Pruned, want.Seal, want.MAC = 0, AuditMAC{}, w.seal.entry(previous.MAC, row)
	}
	same := hmac.Equal(want.MAC[:], got.MAC[:]) && hmac.Equal(want.Seal[:], got.Seal[:])
	want.MAC, want.Seal, got.MAC, got.Seal = AuditMAC{}, AuditMAC{}, AuditMAC{}, AuditMAC{}
	return same && want == got
}
