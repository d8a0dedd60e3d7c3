package links

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/store"
)

// ErrLeft is returned for a wallet that was removed from its subject and not added to any since then.
var ErrLeft = errors.New("links: the wallet has left its subject")

// noneFor is how long a process assumes that a store without any link still has none. After a wallet was added, sign-ins with its
// previous marks are refused for longer than that (see endSessions), so that all processes know of it.
const noneFor = 2 * time.Second

// Book reads the links between wallets and subjects. It is safe for concurrent use.
type Book struct {
	rows mac.Row
	of   store.LinkStore
	log  *slog.Logger

	began time.Time    // the origin of none
	none  atomic.Int64 // until when, in nanoseconds since began, there is no link
	some  atomic.Bool  // there is one
}

// NewBook returns a Book of the store. secret returns the secret that authenticates the rows; it is called for every use.
func NewBook(of store.LinkStore, secret func() []byte, log *slog.Logger) *Book {
	return &Book{rows: mac.NewRow(secret, "link"), of: of, log: log, began: time.Now()}
}

// Owner is the subject of a wallet at a sign-in.
type Owner struct {
	// Subject is the subject of the tokens: the wallet itself, or the subject to which it belongs, with the address, account and key
	// of the wallet.
	Subject store.Subject
	// Mark is the Mark of the new session: if the wallet is added or removed at the same time, the session is refused by it.
	Mark string
}

// Owner returns the subject of an authenticated wallet, or ErrLeft. It reads at most one row, and nothing for a subject that is not
// a wallet. fresh means that a store has refused the owner that was returned before.
func (b *Book) Owner(ctx context.Context, wallet store.Subject, fresh bool) (Owner, error) {
	if b == nil || wallet.Kind != store.KindWallet {
		return Owner{Subject: wallet}, nil
	}
	alone := Owner{Subject: wallet, Mark: markOf(wallet.ID, 0)}
	if none, err := b.hasNone(ctx); err != nil || none && !fresh {
		return alone, err
	}
	row, state, err := b.find(ctx, wallet.ID)
	switch {
	case err != nil:
		return Owner{}, err
	case state == unknown:
		return alone, nil
	case state == left:
		return Owner{}, ErrLeft
	case row.Subject != wallet.ID:
		wallet.ID, wallet.Address = row.Subject, wallet.WalletAddress()
	}
	return Owner{Subject: wallet, Mark: markOf(row.Wallet.ID, row.LinkedAt)}, nil
}

// SubjectOf returns the subject with the name, or the subject of the wallet with the name. joined reports whether a wallet was
// added to that subject.
func (b *Book) SubjectOf(ctx context.Context, name string) (subject string, joined bool, err error) {
	if none, err := b.hasNone(ctx); err != nil || none {
		return name, false, err
	}
	members, err := b.members(ctx, name)
	if err != nil || len(active(members)) > 0 {
		return name, err == nil, err
	}
	row, state, err := b.find(ctx, name)
	if err != nil || state != belongs {
		return name, false, err
	}
	return row.Subject, true, nil
}

// Related returns further identifiers of the tokens of a subject or wallet with the name: the subject of the wallet, and the wallet
// ids of that subject.
func (b *Book) Related(ctx context.Context, name string) ([]string, error) {
	subject, joined, err := b.SubjectOf(ctx, name)
	if err != nil || !joined {
		return nil, err
	}
	members, err := b.members(ctx, subject)
	ids := []string{subject}
	for _, row := range active(members) {
		if row.Wallet.WalletID != "" {
			ids = append(ids, row.Wallet.WalletID)
		}
	}
	return ids, err
}

// hasNone reports whether there is no link at all. It calls the store only from time to time.
func (b *Book) hasNone(ctx context.Context) (bool, error) {
	if b.some.Load() {
		return false, nil
	}
	now := time.Since(b.began)
	if int64(now) < b.none.Load() {
		return true, nil
	}
	found, err := b.of.Any(ctx)
	switch {
	case err != nil:
		return false, fmt.Errorf("link store: %w", err)
	case found:
		b.some.Store(true)
	default:
		b.none.Store(int64(now + noneFor))
	}
	return !found, nil
}

// state is the state of a wallet.
type state int

const (
	unknown state = iota // it was never added, and no wallet was added to a subject of its name
	belongs              // it belongs to the subject of its row
	left                 // it was removed; also if its row is not authentic, or is missing
)

// find returns the row of a wallet and its state. For a row that is not authentic it returns the version only.
func (b *Book) find(ctx context.Context, id string) (store.Link, state, error) {
	row, found, named, err := b.of.Find(ctx, id)
	switch {
	case err != nil:
		return store.Link{}, unknown, fmt.Errorf("link store: %w", err)
	case !found && !named:
		return store.Link{}, unknown, nil
	case !found:
		b.forged(ctx, id)
		return store.Link{}, left, nil
	case row.Wallet.ID != id || !b.authentic(row):
		b.forged(ctx, id)
		return store.Link{Version: row.Version}, left, nil
	case row.LeftAt != 0:
		return row, left, nil
	default:
		return row, belongs, nil
	}
}

// members returns the authentic rows of a subject, one for each wallet, including removed wallets.
func (b *Book) members(ctx context.Context, subject string) (members []store.Link, err error) {
	rows, err := b.of.List(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("link store: %w", err)
	}
	for _, row := range rows {
		if row.Subject != subject || !b.authentic(row) {
			b.forged(ctx, subject)
			continue
		}
		other := slices.IndexFunc(members, func(other store.Link) bool { return other.Wallet.ID == row.Wallet.ID })
		if other < 0 {
			members = append(members, row)
			continue
		}
		b.forged(ctx, subject) // one of the two rows is a copy
		if members[other], _, err = b.find(ctx, row.Wallet.ID); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(members, func(row store.Link) bool { return row.Subject != subject }), nil
}

func active(rows []store.Link) (members []store.Link) {
	for _, row := range rows {
		if row.LeftAt == 0 {
			members = append(members, row)
		}
	}
	return members
}

// seal sets a new version and the MAC of a row.
func (b *Book) seal(row store.Link) store.Link {
	rand.Read(row.Version[:]) // never fails: crypto/rand ends the program instead
	row.MAC = b.mac(row)
	return row
}

func (b *Book) mac(row store.Link) [32]byte {
	w := row.Wallet
	return b.rows.Of(make(mac.Fields, 0, 512).
		Texts(w.ID, w.Kind, w.Algorithm, w.WalletID, w.Account, w.Address, w.WalletKind, row.Subject, string(row.Version[:])).
		Numbers(row.LinkedAt, row.LeftAt))
}

func (b *Book) authentic(row store.Link) bool {
	mac := b.mac(row)
	return hmac.Equal(mac[:], row.MAC[:])
}

func (b *Book) forged(ctx context.Context, id string) {
	b.log.ErrorContext(ctx, events.LinkForged, "event", events.LinkForged, "id", id)
}

// markOf returns the Mark of sessions that a wallet begins after it was added at linkedAt; 0: it was not added.
func markOf(wallet string, linkedAt int64) string {
	if linkedAt == 0 {
		return "wallet " + wallet
	}
	return "wallet " + strconv.FormatInt(linkedAt, 10) + " " + wallet
}

// Alone returns the wallet of a session as a subject of its own. It returns a subject of another kind unchanged.
func Alone(u store.Subject) store.Subject {
	if u.Kind != store.KindWallet {
		return u
	}
	if u.WalletKind == store.WalletContract {
		u.ID, u.Address = u.Account, u.WalletAddress()
		return u
	}
	u.ID, u.Address = u.WalletAddress(), ""
	return u
}
