package revocation

import (
	"context"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// SignInDelay is how much longer than the revocation of its subject a concurrent sign-in waits.
const SignInDelay = 200 * time.Millisecond

// MintIndex finds live tokens in the mint audit.
type MintIndex interface {
	// Live returns the recorded access tokens that have not expired and whose jti or sid is the given one, or whose sub or wallet_id
	// is sub. An empty argument matches nothing.
	Live(ctx context.Context, jti, sid, sub string) ([]audit.Mint, error)
	// Longest returns the latest expiry of all recorded access tokens (Unix seconds); 0 if there is none.
	Longest(ctx context.Context) (expiresAt int64, err error)
}

// Revoker revokes tokens, sessions and subjects. Each method returns when the items are on the denylist. While the mint audit
// cannot be read, the items are added all the same, but for a session or subject without those for its single tokens. The method
// then returns an error, so that the caller repeats it.
//
// An item is kept until the last token that it can match has expired, whatever the settings were when that token was issued.
type Revoker struct {
	c Config
}

// Config configures a [Revoker].
type Config struct {
	Sessions store.SessionStore // a session.Store: its errors name it
	Denylist *Denylist
	Mints    MintIndex
	// AccessTTL is the lifetime of an access token of a sign-in, LongestTTL the maximum lifetime of any token, and AuditTTL the
	// minimum lifetime of tokens that the mint audit records.
	AccessTTL, LongestTTL, AuditTTL time.Duration
	Skew                            time.Duration // by which clocks may differ
	// Related returns further identifiers of a subject's tokens. id is the subject or one of its wallets. nil: no subject has more
	// than one wallet.
	Related    func(ctx context.Context, id string) ([]string, error)
	AdminEmail string    // in the form that tokens have
	Clock      app.Clock // nil: time.Now
}

// NewRevoker returns a revoker.
func NewRevoker(c Config) *Revoker {
	c.Clock = app.ClockOr(c.Clock)
	return &Revoker{c}
}

// Cause says who revokes and why.
type Cause struct{ By, Reason string }

// Ended is the result of a revocation.
type Ended struct {
	// Item is the entry of the denylist. For a token or a session that was revoked before, it is the first entry.
	Item store.Revocation
	// Sessions and Tokens are the numbers of sessions and tokens that were live until then. Tokens with a lifetime below
	// mint_audit_min_ttl_seconds are not recorded, and not counted.
	Sessions, Tokens int
}

// Token revokes one access token.
func (r *Revoker) Token(ctx context.Context, jti string, cause Cause) (Ended, error) {
	_ = r.CatchUp(ctx) // so that live does not count tokens that another process has revoked
	known, err := r.c.Mints.Live(ctx, jti, "", "")
	expires := expiry(known)
	if err != nil || len(known) == 0 {
		expires = r.unknownExpiry(ctx, err)
	}
	item := r.item(cause, expires)
	item.JTI = jti
	return r.add(ctx, Ended{Tokens: r.live(known)}, []store.Revocation{item})
}

// Session ends a session and revokes its access tokens. It writes the denylist first: after a crash in between, the session cannot
// be refreshed.
func (r *Revoker) Session(ctx context.Context, sid string, cause Cause) (Ended, error) {
	_ = r.CatchUp(ctx) // so that live does not count tokens that another process has revoked
	listed := r.Lists(clientauth.TokenRef{SessionID: sid})
	row, known, err := r.c.Sessions.Find(ctx, sid)
	if err != nil {
		return Ended{}, err
	}
	ended, err := r.end(ctx, sid, known, cause)
	if ended.Item.SID != "" && known && !listed && r.continues(row) {
		ended.Sessions = 1
	}
	return ended, err
}

// OwnSession is Session for a session that is known to be of a sign-in, even if its row has been removed: its tokens are not fleet
// tokens, which live longer.
func (r *Revoker) OwnSession(ctx context.Context, sid string, cause Cause) error {
	_, err := r.end(ctx, sid, true, cause)
	return err
}

func (r *Revoker) end(ctx context.Context, sid string, own bool, cause Cause) (Ended, error) {
	ended, failed := r.List(ctx, sid, own, cause)
	if ended.Item == (store.Revocation{}) {
		return Ended{}, failed
	}
	if _, _, err := r.c.Sessions.End(ctx, sid); err != nil {
		return Ended{}, err
	}
	return ended, failed
}

// List adds a session and its live access tokens to the denylist. If only the mint audit fails, it returns the item together with
// the error. own means that the session is of a sign-in.
func (r *Revoker) List(ctx context.Context, sid string, own bool, cause Cause) (Ended, error) {
	known, failed := r.c.Mints.Live(ctx, "", sid, "")
	expires := r.sessionExpiry(known, failed)
	if !own && (failed != nil || len(known) == 0) {
		expires = r.unknownExpiry(ctx, failed)
	}
	item := r.item(cause, expires)
	item.SID = sid
	items := append([]store.Revocation{item}, r.tokenItems(cause, known)...)
	ended, err := r.add(ctx, Ended{Tokens: r.live(known)}, items)
	if err != nil {
		return Ended{}, err
	}
	return ended, failed
}

// Key adds a compromised key to the denylist, until its last token has expired and no client has it in its cache.
func (r *Revoker) Key(ctx context.Context, kid string, cause Cause) (store.Revocation, error) {
	cached := r.c.Clock().Add(keys.MaxAgeLimit + keys.ClientCacheTime + r.c.Skew).Unix()
	item := r.item(cause, max(r.longest(ctx), cached))
	item.KID = kid
	ended, err := r.add(ctx, Ended{}, []store.Revocation{item})
	return ended.Item, err
}

// item returns an item for tokens that expire not later than expires.
func (r *Revoker) item(cause Cause, expires int64) store.Revocation {
	return store.Revocation{
		RevokedAt: r.c.Clock().Unix(), Reason: cause.Reason, RevokedBy: cause.By, Exp: expires + int64(audit.Margin/time.Second),
	}
}

// tokenItems returns items for single tokens, for clients that check jti only.
func (r *Revoker) tokenItems(cause Cause, mints []audit.Mint) []store.Revocation {
	items := make([]store.Revocation, 0, len(mints))
	for _, mint := range mints {
		item := r.item(cause, mint.ExpiresAt)
		item.JTI = mint.ID
		items = append(items, item)
	}
	return items
}

func (r *Revoker) add(ctx context.Context, ended Ended, items []store.Revocation) (Ended, error) {
	stored, err := r.c.Denylist.Add(ctx, items)
	if err != nil {
		return Ended{}, err
	}
	ended.Item = stored[0]
	return ended, nil
}

// longest returns an upper bound of the expiry of all access tokens that were issued until now.
func (r *Revoker) longest(ctx context.Context) int64 {
	recorded, err := r.c.Mints.Longest(ctx)
	if err != nil {
		return r.after(token.Longest)
	}
	return max(recorded, r.after(max(r.c.LongestTTL, r.c.AuditTTL)))
}

// unknownExpiry is longest for tokens that the mint audit does not contain. It does not call the audit again if that has just
// failed.
func (r *Revoker) unknownExpiry(ctx context.Context, failed error) int64 {
	if failed != nil {
		return r.after(token.Longest)
	}
	return r.longest(ctx)
}

// sessionExpiry is longest for tokens of a sign-in, of which known are the recorded ones.
func (r *Revoker) sessionExpiry(known []audit.Mint, failed error) int64 {
	if failed != nil {
		return r.after(token.LongestSignIn)
	}
	return max(expiry(known), r.after(max(r.c.AccessTTL, r.c.AuditTTL)))
}

func (r *Revoker) after(d time.Duration) int64 { return r.c.Clock().Add(d).Unix() }

// expiry returns the latest expiry of the tokens; 0 for none.
func expiry(mints []audit.Mint) (last int64) {
	for _, mint := range mints {
		last = max(last, mint.ExpiresAt)
	}
	return last
}

// CatchUp reads the revocations of other processes.
func (r *Revoker) CatchUp(ctx context.Context) error { return r.c.Denylist.Sync(ctx) }

// live counts the tokens that are not on the denylist.
func (r *Revoker) live(mints []audit.Mint) (n int) {
	for _, mint := range mints {
		if !r.Lists(mint.Ref()) {
			n++
		}
	}
	return n
}

// Lists reports whether a token is on this process's copy of the denylist, however old that is.
func (r *Revoker) Lists(token clientauth.TokenRef) bool { return r.c.Denylist.Listed(token) }

// continues reports whether a session can be refreshed.
func (r *Revoker) continues(row store.Session) bool {
	return r.c.Clock().UnixMilli() < min(row.ExpiresAt, row.EndsAt)
}

func (r *Revoker) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
