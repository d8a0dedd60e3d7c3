package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/picoauth/picoauth/clientauth"
)

// Mint is the record of one access token. Times are Unix seconds. Its strings may contain any bytes, including zero bytes, and
// may be longer than a database can index.
type Mint struct {
	ID        string `json:"jti"`
	Subject   string `json:"sub"`
	Role      string `json:"role"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	Kind      string `json:"kind"`
	Scope     string `json:"scope"`
	AgentID   string `json:"agent_id"`
	SessionID string `json:"session_id"`
	WalletID  string `json:"wallet_id,omitempty"` // of wallets: a revocation of it matches all subjects with this key
	ClientID  string `json:"client_id"`
	RequestID string `json:"request_id"` // of the HTTP request, or of the authorization request of its session
	Client    string `json:"client"`     // the IP address of the request
	Act       Act    `json:"-"`
}

// Ref returns the identifiers that the denylist checks, except the key id.
func (m Mint) Ref() clientauth.TokenRef {
	return clientauth.TokenRef{
		ID: m.ID, SessionID: m.SessionID, Subject: m.Subject, WalletID: m.WalletID, Actors: m.Act.Chain().Subjects(), IssuedAt: m.IssuedAt,
	}
}

// MAC is a MAC of the mint audit (HMAC-SHA-256). As text it is 64 lowercase hex characters.
type MAC [sha256.Size]byte

// String returns the MAC as hex.
func (m MAC) String() string { return hex.EncodeToString(m[:]) }

// MarshalText implements encoding.TextMarshaler.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *MAC) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(m)) {
		return fmt.Errorf("serverauth: an audit seal has %d hex characters, not %d", hex.EncodedLen(len(m)), len(text))
	}
	if _, err := hex.Decode(m[:], text); err != nil {
		return fmt.Errorf("serverauth: audit seal: %w", err)
	}
	return nil
}

// Head is a position in the mint audit: the sequence number of an entry and its MAC, which covers that entry and all before it.
// The head of an empty audit is the zero value. With a head that was kept elsewhere, Recorder.Verify proves that no entry up to
// it was removed.
type Head struct {
	Seq int64 `json:"seq"`
	MAC MAC   `json:"mac"`
}

// Entry is a row of the mint audit: a mint, a gap (Lost is above 0), or a checkpoint (Pruned is above 0), which replaces pruned
// entries.
type Entry struct {
	Seq  int64 // 1, 2, 3, …; only the numbers that a checkpoint replaces are missing
	MAC  MAC   // of the entry and the previous MAC; a checkpoint has that of the last entry that it replaces
	Mint Mint  // a gap has only IssuedAt and ExpiresAt, a checkpoint nothing

	// Lost is the number of mints in a gap: tokens that were issued, but not recorded in the store.
	Lost int64
	// Pruned is the number of sequence numbers, up to and including Seq, that a checkpoint replaces. Seal authenticates the
	// checkpoint.
	Pruned int64
	Seal   MAC
}

// Head returns the position of the entry.
func (e Entry) Head() Head { return Head{e.Seq, e.MAC} }

// Query selects entries of the mint audit. An empty field, except Limit, selects all.
type Query struct {
	ID, SessionID string
	Subjects      []string // one of them is the Subject or the WalletID
	Before        int64    // the entry's number is below it; 0: any
	Limit         int      // the maximum number of entries
}

// Matches reports whether the query selects an entry: a mint, or a gap if the query has no field except Before. It never
// selects a checkpoint.
func (q Query) Matches(e Entry) bool {
	m := e.Mint
	switch {
	case e.Pruned > 0, q.Before > 0 && e.Seq >= q.Before, e.Lost > 0 && q.OfMints():
		return false
	case q.ID != "" && q.ID != m.ID, q.SessionID != "" && q.SessionID != m.SessionID:
		return false
	case len(q.Subjects) == 0:
		return true
	default:
		return slices.Contains(q.Subjects, m.Subject) || m.WalletID != "" && slices.Contains(q.Subjects, m.WalletID)
	}
}

// OfMints reports whether the query selects by a field of mints, and so no gaps.
func (q Query) OfMints() bool { return q.ID != "" || q.SessionID != "" || len(q.Subjects) > 0 }

// Store stores the mint audit: rows with ascending sequence numbers and MACs of the Recorder, which the store keeps byte for
// byte. Each method must be atomic, also between processes that share the store. If a method returns nil, its changes survive a
// crash of the process (in a persistent store). After an error either all or none of its changes are done; the recorder finds
// out which.
type Store interface {
	// Head returns the position of the last row; the zero Head if there is none.
	Head(ctx context.Context) (Head, error)
	// Append adds all rows if the head is still equal to after, else none. It returns the head after the call, and whether the
	// rows were added: of several callers with the same head exactly one gets true. There is at least one row, and the numbers
	// of the rows are consecutive from after.Seq+1 on.
	Append(ctx context.Context, after Head, rows []Entry) (head Head, appended bool, err error)
	// Latest returns the rows that match the query, newest first.
	Latest(ctx context.Context, query Query) ([]Entry, error)
	// Live returns, oldest first and each once, the mints that expire after now (Unix seconds) and whose ID is jti, whose
	// SessionID is sid, or whose Subject or WalletID is sub. An empty argument matches nothing. It must not read the whole
	// audit, because every revocation calls it.
	Live(ctx context.Context, jti, sid, sub string, now int64) ([]Mint, error)
	// Longest returns the latest ExpiresAt of all mints and gaps, 0 if there is none; it may include pruned ones. It must not
	// read the whole audit, because every revocation of a subject calls it.
	Longest(ctx context.Context) (expiresAt int64, err error)
	// Walk returns up to limit rows whose number is above after, ascending; none at the end.
	Walk(ctx context.Context, after int64, limit int) ([]Entry, error)
	// Prune replaces the rows above c.Seq-c.Pruned up to c.Seq by each checkpoint c, and returns the number of removed mints
	// and gaps; earlier checkpoints among them are removed too and not counted. The checkpoints ascend and do not overlap. Each
	// is applied completely or not at all: only if there is a row c.Seq with the MAC of c, and a row c.Seq-c.Pruned (or that is
	// 0). Otherwise another process has pruned there, and the checkpoint is skipped without an error.
	Prune(ctx context.Context, checkpoints []Entry) (removed int, err error)
}
