package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"

	"github.com/picoauth/picoauth/serverauth/internal/mac"
)

// The input of a MAC begins with one of these bytes, so that the MAC of an entry is never valid for a checkpoint. They change
// when the encoding changes.
const (
	sealsEntry      = 1
	sealsCheckpoint = 2
)

// sealer makes the MACs of the mint audit. It is for one goroutine.
type sealer struct {
	hmac hash.Hash
	text mac.Fields
}

func newSealer(key []byte) *sealer { return &sealer{hmac: hmac.New(sha256.New, key)} }

// entry returns the MAC of a mint or gap that follows previous.
func (s *sealer) entry(previous MAC, e Entry) MAC {
	s.text = append(append(s.text[:0], sealsEntry), previous[:]...)
	s.text = appendMint(s.text.Numbers(e.Seq, e.Lost), e.Mint)
	return s.sum()
}

// checkpoint returns the Seal of a checkpoint that replaces the entries after from, up to and including to.
func (s *sealer) checkpoint(from, to Head) MAC {
	s.text = append(append(s.text[:0], sealsCheckpoint), from.MAC[:]...)
	s.text = append(s.text, to.MAC[:]...).Numbers(from.Seq, to.Seq)
	return s.sum()
}

func (s *sealer) sum() (out MAC) {
	s.hmac.Reset()
	s.hmac.Write(s.text)
	s.hmac.Sum(out[:0])
	return out
}

// chain sets the numbers and MACs of entries that follow the head after.
func (s *sealer) chain(after Head, entries []Entry) {
	for i := range entries {
		entries[i].Seq = after.Seq + 1
		entries[i].MAC = s.entry(after.MAC, entries[i])
		after = entries[i].Head()
	}
}

// appendMint appends a mint. Fields that were added later come last, and only if one of them is not empty, so that older MACs
// remain valid.
func appendMint(b mac.Fields, m Mint) mac.Fields {
	b = b.Texts(m.ID, m.Subject, m.WalletID, m.Role, m.Kind, m.Scope, m.AgentID, m.SessionID).Numbers(m.IssuedAt, m.ExpiresAt)
	if m.ClientID == "" && m.RequestID == "" && m.Client == "" && m.Act == "" {
		return b
	}
	b = b.Texts(m.ClientID, m.RequestID, m.Client)
	if m.Act == "" {
		return b
	}
	return b.Texts(string(m.Act))
}

// walk checks rows one after the other.
type walk struct {
	seal *sealer
	at   Head // of the previous row
}

// next checks the next row, and continues from it even if it is wrong. overlaps is true if the row repeats or replaces rows that
// were already checked.
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
