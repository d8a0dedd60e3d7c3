package serverauth

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// revocationMargin is how long an entry is kept after the last token that it can hit has expired: longer than any
// client's leeway.
const revocationMargin = 600 * time.Second

// MintIndex finds live tokens in the mint audit.
type MintIndex interface {
	// Live returns the recorded access tokens that have not expired and whose jti, sid or sub is the given one.
	Live(ctx context.Context, jti, sid, sub string) ([]Mint, error)
}

// Revoker ends tokens, sessions and subjects. Each method returns once the denylist holds what it says. While the mint
// audit cannot be read, what was asked for is on the denylist all the same, without items for single tokens of it, and
// the method returns an error, so that it is asked again.
type Revoker struct {
	settings ServerAuthSettings
	sessions SessionStore
	denylist *Denylist
	mints    MintIndex
	now      app.Clock
}

// NewRevoker returns a revoker.
func NewRevoker(settings ServerAuthSettings, sessions SessionStore, denylist *Denylist, mints MintIndex, clock ...app.Clock) *Revoker {
	return &Revoker{settings: settings, sessions: sessions, denylist: denylist, mints: mints, now: clockOr(clock...)}
}

// Cause says who revokes and why.
type Cause struct{ By, Reason string }

// Token revokes one access token.
func (r *Revoker) Token(ctx context.Context, jti string, cause Cause) (Revocation, error) {
	item := r.item(cause, r.settings.LongestTokenTTL())
	item.JTI = jti
	known, _ := r.mints.Live(ctx, jti, "", "") // without an answer the item is kept for longer than it must
	for _, mint := range known {
		item.Exp = mint.ExpiresAt + int64(revocationMargin/time.Second)
	}
	return r.add(ctx, []Revocation{item})
}

// Session ends a session with its live access tokens.
func (r *Revoker) Session(ctx context.Context, sid string, cause Cause) (Revocation, error) {
	_, known, err := r.sessions.End(ctx, sid)
	if err != nil {
		return Revocation{}, fmt.Errorf("session store: %w", err)
	}
	ttl := r.settings.LongestTokenTTL()
	if known {
		ttl = r.settings.AccessTokenTTL()
	}
	return r.ended(ctx, sid, ttl, cause)
}

// OwnSession is Session for one that is known to be of a sign-in, and may be gone from the store already: its tokens
// are no fleet tokens, which live longer.
func (r *Revoker) OwnSession(ctx context.Context, sid string, cause Cause) error {
	if _, _, err := r.sessions.End(ctx, sid); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	_, err := r.ended(ctx, sid, r.settings.AccessTokenTTL(), cause)
	return err
}

// ended puts a session that is gone from its store on the denylist.
func (r *Revoker) ended(ctx context.Context, sid string, ttl time.Duration, cause Cause) (Revocation, error) {
	item := r.item(cause, ttl)
	item.SID = sid
	tokens, failed := r.tokens(ctx, cause, sid, "")
	first, err := r.add(ctx, append([]Revocation{item}, tokens...))
	return first, cmp.Or(err, failed)
}

// Subject ends everything of a subject until now: its sessions, and every token of it, or of another subject with the
// same key, that was issued up to the running second. It returns when that second is over. A sign-in of the subject
// that meets it waits a moment longer than the caller and begins anew, so that nothing issued before the reply
// survives it and everything begun later is valid.
func (r *Revoker) Subject(ctx context.Context, sub string, cause Cause) (Revocation, error) {
	for range maxSubjectTries {
		item := r.item(cause, r.settings.LongestTokenTTL())
		item.Sub = sub
		over := time.Unix(item.RevokedAt+1, 0)
		ids, err := r.endSessions(ctx, sub, over.Add(signInDelay))
		if err != nil {
			return Revocation{}, err
		}
		if !r.now().Before(over) {
			continue // sessions may have begun in the next second before theirs were ended
		}
		items, failed := r.subjectItems(ctx, item, ids)
		first, err := r.add(ctx, items)
		if err := cmp.Or(err, failed); err != nil {
			return Revocation{}, err
		}
		if r.now().Before(over.Add(signInDelay / 2)) {
			return first, r.wait(ctx, over.Sub(r.now()))
		}
	}
	return Revocation{}, fmt.Errorf("serverauth: stores are too slow to revoke a subject")
}

const (
	maxSubjectTries = 5
	signInDelay     = 200 * time.Millisecond
)

// endSessions ends the sessions of a subject and of whoever has its key, and returns the ids that this concerns.
func (r *Revoker) endSessions(ctx context.Context, sub string, cutOff time.Time) (ids []string, err error) {
	ids = []string{sub}
	if id := wallet.IDOfAddress(sub); id != "" && id != sub {
		ids = append(ids, id)
	}
	for done := 0; done < len(ids); {
		done = len(ids)
		ended, err := r.sessions.EndSubject(ctx, ids, cutOff.UnixMilli())
		if err != nil {
			return nil, fmt.Errorf("session store: %w", err)
		}
		for _, session := range ended {
			if id := session.Subject.WalletID; id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// subjectItems is the denylist's share: an item for each id, and one for each of their live access tokens as far as the
// mint audit can be read, else its error.
func (r *Revoker) subjectItems(ctx context.Context, item Revocation, ids []string) (items []Revocation, err error) {
	var tokens []Revocation
	for _, id := range ids {
		item.Sub = id
		items = append(items, item)
		live, failed := r.tokens(ctx, Cause{By: item.RevokedBy, Reason: item.Reason}, "", id)
		tokens, err = append(tokens, live...), cmp.Or(err, failed)
	}
	return append(items, tokens...), err
}

// Key puts a compromised key on the denylist, until its last token has expired and no client has it in a cache.
func (r *Revoker) Key(ctx context.Context, kid string, cause Cause) (Revocation, error) {
	cached := keys.MaxAgeLimit + clientCacheTime + r.settings.ClockSkew()
	item := r.item(cause, max(r.settings.LongestTokenTTL(), cached))
	item.KID = kid
	return r.add(ctx, []Revocation{item})
}

func (r *Revoker) item(cause Cause, ttl time.Duration) Revocation {
	now := r.now()
	return Revocation{RevokedAt: now.Unix(), Reason: cause.Reason, RevokedBy: cause.By, Exp: now.Add(ttl + revocationMargin).Unix()}
}

func (r *Revoker) add(ctx context.Context, items []Revocation) (Revocation, error) {
	stored, err := r.denylist.Add(ctx, items)
	if err != nil {
		return Revocation{}, err
	}
	return stored[0], nil
}

// tokens returns items for the live access tokens of a session or a subject, for clients that know jti only.
func (r *Revoker) tokens(ctx context.Context, cause Cause, sid, sub string) ([]Revocation, error) {
	live, err := r.mints.Live(ctx, "", sid, sub)
	if err != nil {
		return nil, err
	}
	items := make([]Revocation, 0, len(live))
	for _, mint := range live {
		item := r.item(cause, 0)
		item.JTI = mint.ID
		item.Exp = mint.ExpiresAt + int64(revocationMargin/time.Second)
		items = append(items, item)
	}
	return items, nil
}

func (r *Revoker) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
