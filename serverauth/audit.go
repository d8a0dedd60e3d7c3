package serverauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Mint is the record of one access token. Times are Unix seconds. Its strings may hold any bytes, zero bytes too, and
// be longer than a database can index.
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
	WalletID  string `json:"wallet_id,omitempty"` // of wallets: revoking a subject also hits others with its key
}

// AuditMAC is a seal of the mint audit: HMAC-SHA-256. As text it is 64 lowercase hex characters.
type AuditMAC [sha256.Size]byte

// String returns the seal as hex.
func (m AuditMAC) String() string { return hex.EncodeToString(m[:]) }

// MarshalText implements encoding.TextMarshaler.
func (m AuditMAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *AuditMAC) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(m)) {
		return fmt.Errorf("serverauth: an audit seal has %d hex characters, not %d", hex.EncodedLen(len(m)), len(text))
	}
	if _, err := hex.Decode(m[:], text); err != nil {
		return fmt.Errorf("serverauth: audit seal: %w", err)
	}
	return nil
}

// AuditHead is a place in the mint audit: the sequence number of an entry and its seal, which covers that entry and
// all before it. The head of an empty audit is the zero value. Whoever keeps a head can prove later, with
// AuditRecorder.Verify, that nothing up to it was taken away.
type AuditHead struct {
	Seq int64    `json:"seq"`
	MAC AuditMAC `json:"mac"`
}

// AuditEntry is a row of the mint audit. It is one of three things: a mint; a gap (Lost is above 0); or a checkpoint
// (Pruned is above 0) in the place of entries that were pruned.
type AuditEntry struct {
	Seq  int64    // 1, 2, 3, … without a hole but for what a checkpoint stands for
	MAC  AuditMAC // seals the entry and the MAC before it; a checkpoint has that of the last entry it stands for
	Mint Mint     // of a gap only IssuedAt and ExpiresAt, of a checkpoint nothing

	// Lost is how many mints a gap stands for: they were made, and never reached the store.
	Lost int64
	// Pruned is how many sequence numbers, up to and with Seq, a checkpoint stands for; Seal shows that the
	// AuditRecorder made it.
	Pruned int64
	Seal   AuditMAC
}

// Head is the place of the entry.
func (e AuditEntry) Head() AuditHead { return AuditHead{e.Seq, e.MAC} }

// MintStore keeps the mint audit: rows by ascending sequence number, which the AuditRecorder seals and the store only
// keeps as they are, byte for byte. Each method is atomic against every other, across all processes that share the
// store, and what a method that returned nil has written survives a crash of the process (of a store that survives
// it). A method that returned an error has written all or nothing: the recorder finds out which.
type MintStore interface {
	// Head returns the place of the last row; the zero head if there is none.
	Head(ctx context.Context) (AuditHead, error)
	// Append adds rows if the head is still after: all of them, or none. It returns the head as it is afterwards, and
	// whether the rows were added: of several callers with the same head exactly one gets true. There is at least one
	// row, and their numbers follow after.Seq and one another.
	Append(ctx context.Context, after AuditHead, rows []AuditEntry) (head AuditHead, appended bool, err error)
	// Latest returns up to limit rows that are no checkpoints, newest first.
	Latest(ctx context.Context, limit int) ([]AuditEntry, error)
	// Live returns, oldest first and each once, the mints that expire after now (Unix seconds) and whose ID is jti,
	// whose SessionID is sid, or whose Subject or WalletID is sub. An empty argument matches nothing. It must not
	// read the whole audit: every revocation asks it.
	Live(ctx context.Context, jti, sid, sub string, now int64) ([]Mint, error)
	// Walk returns up to limit rows whose number is above after, ascending; none at the end.
	Walk(ctx context.Context, after int64, limit int) ([]AuditEntry, error)
	// Prune puts each checkpoint c in the place of the rows above c.Seq-c.Pruned up to c.Seq, and returns how many
	// mints and gaps are gone; earlier checkpoints among them go too and are not counted. The checkpoints ascend and
	// do not overlap. Each is applied whole or not at all: only if there is a row c.Seq with the MAC of c, and a row
	// c.Seq-c.Pruned (or that is 0). Otherwise another process has pruned there, and it is left out without an error.
	Prune(ctx context.Context, checkpoints []AuditEntry) (removed int, err error)
}
