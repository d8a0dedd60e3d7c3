package audit

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
type sealer struct {
	mac  hash.Hash
	text []byte
}

func newSealer(key []byte) *sealer { return &sealer{mac: hmac.New(sha256.New, key)} }

// entry returns the MAC of a mint or gap that follows previous.
func (s *sealer) entry(previous MAC, e Entry) MAC {
	s.text = append(append(s.text[:0], sealsEntry), previous[:]...)
	s.text = binary.AppendVarint(s.text, e.Seq)
	s.text = binary.AppendVarint(s.text, e.Lost)
	s.text = appendMint(s.text, e.Mint)
	return s.sum()
}

// checkpoint returns the Seal of a checkpoint in the place of what came after from, up to to.
func (s *sealer) checkpoint(from, to Head) MAC {
	s.text = append(append(s.text[:0], sealsCheckpoint), from.MAC[:]...)
	s.text = append(s.text, to.MAC[:]...)
	s.text = binary.AppendVarint(s.text, from.Seq)
	s.text = binary.AppendVarint(s.text, to.Seq)
	return s.sum()
}

func (s *sealer) sum() (out MAC) {
	s.mac.Reset()
	s.mac.Write(s.text)
	s.mac.Sum(out[:0])
	return out
}

// chain gives entries their numbers and MACs, from the head on that they follow.
func (s *sealer) chain(after Head, entries []Entry) {
	for i := range entries {
		entries[i].Seq = after.Seq + 1
		entries[i].MAC = s.entry(after.MAC, entries[i])
		after = entries[i].Head()
	}
}

// appendMint appends a mint, every text behind its length, so that two different mints never encode alike. Texts that
// were added later follow at the end, and only where one of them is not empty: what was sealed before is still right.
func appendMint(b []byte, m Mint) []byte {
	b = appendTexts(b, m.ID, m.Subject, m.WalletID, m.Role, m.Kind, m.Scope, m.AgentID, m.SessionID)
	b = binary.AppendVarint(b, m.IssuedAt)
	b = binary.AppendVarint(b, m.ExpiresAt)
	if m.ClientID == "" && m.RequestID == "" && m.Client == "" && m.Act == "" {
		return b
	}
	b = appendTexts(b, m.ClientID, m.RequestID, m.Client)
	if m.Act == "" {
		return b
	}
	return appendTexts(b, string(m.Act))
}

func appendTexts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return b
}

// auditWalk checks rows one after the other.
type walk struct {
	seal *sealer
	at   Head // of the row before
}

// next checks the row that follows, and goes on from it whether or not it is right. overlaps says that the row is a
// checkpoint, or a repetition, of rows that were there before.
func (w *walk) next(row Entry) (fault Fault, overlaps, ok bool) {
	previous := w.at
	w.at = row.Head()
	from := row.Seq - max(row.Pruned, 1)
	switch {
	case from < previous.Seq:
		return Fault{AuditAltered, row.Seq, row.Seq}, true, false
	case from > previous.Seq:
		return Fault{AuditRemoved, previous.Seq + 1, from}, false, false
	case !w.sealed(previous, row):
		return Fault{AuditAltered, row.Seq, row.Seq}, false, false
	default:
		return Fault{}, false, true
	}
}

func (w *walk) sealed(previous Head, row Entry) bool {
	want, got := row, row
	if row.Pruned > 0 {
		want.Mint, want.Lost, want.Seal = Mint{}, 0, w.seal.checkpoint(previous, row.Head())
	} else {
		want.Pruned, want.Seal, want.MAC = 0, MAC{}, w.seal.entry(previous.MAC, row)
	}
	same := hmac.Equal(want.MAC[:], got.MAC[:]) && hmac.Equal(want.Seal[:], got.Seal[:])
	want.MAC, want.Seal, got.MAC, got.Seal = MAC{}, MAC{}, MAC{}, MAC{}
	return same && want == got
}
