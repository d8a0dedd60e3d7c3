package session

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/links"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// Tokens is the token response of a sign-in, a login and a refresh.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	// Subject is the subject of the tokens.
	Subject store.Subject `json:"-"`
}

// Origin is the time and the client of a request that begins a session. It is stored in the session. Users recognise their sessions
// by At, Client and UserAgent.
type Origin struct {
	At time.Time // when the request came in
	// Client is the IP address of the client, UserAgent its header User-Agent.
	Client, UserAgent string
	// ClientID and RequestID are those of OAuth; empty without it.
	ClientID, RequestID string
	// KeyThumbprint is that of the key to which the session is bound; empty: none.
	KeyThumbprint string
	// Proof is the message and signature of a contract wallet; empty for all others.
	Proof store.WalletProof
}

// Service starts, refreshes and ends sessions: it gets the claims, stores the row and issues the tokens.
type Service struct {
	c           Config
	refresh     token.RefreshCodec
	credentials mac.Row
}

// Config configures a [Service].
type Config struct {
	Issuer   string // `iss`
	Store    *Store
	Tokens   *token.Issuer
	Claims   claims.Provider
	Revoker  *revocation.Revoker
	Denylist *revocation.Denylist
	Links    *links.Book // nil where no wallet is ever joined to another subject
	// Secret returns the secret key, 32 bytes, that signs refresh tokens and authenticates sessions. It is called for every use: see
	// keys.Ring.LiveSecret.
	Secret func() []byte

	Max, Idle time.Duration // how long a session lives, and how long without a refresh
	Grace     time.Duration // in which the previous refresh token still gets the current one
	AccessTTL time.Duration // the life of an access token
	Skew      time.Duration // by which clocks may differ

	// Contracts reports whether the signature of a contract wallet is still valid. It is called when the last check is older than
	// Recheck. An error means that the answer is unknown.
	Contracts func(ctx context.Context, subject store.Subject, proof store.WalletProof) (holds bool, err error)
	Recheck   time.Duration

	Admin Admin
	Clock app.Clock // nil: time.Now
	Log   *slog.Logger
}

// Admin is the administrator in the settings.
type Admin struct {
	Enabled               bool
	Email, Password, Role string
}

// NewService returns a service.
func NewService(c Config) *Service {
	c.Clock = app.ClockOr(c.Clock)
	return &Service{c: c, refresh: token.NewRefreshCodec(c.Issuer, c.Secret), credentials: mac.NewRow(c.Secret, "credential")}
}

// Ready returns an error while no tokens can be issued. A request calls it before it uses up a nonce or a refresh token.
func (s *Service) Ready(ctx context.Context) error {
	if _, err := s.c.Denylist.Denied(ctx, clientauth.TokenRef{}); err != nil {
		return err
	}
	return s.c.Tokens.Ready()
}

// Start begins a session for an authenticated subject, or for the subject to which its wallet belongs. The tokens are issued as of
// the time at which the request arrived, so that revocations since then apply to them.
//
// It calls settle, which may be nil, once, as soon as the claims of the subject or its refusal are known. It does not call settle
// if these could not be determined.
func (s *Service) Start(ctx context.Context, subject store.Subject, from Origin, settle func() error) (tokens Tokens, err error) {
	err = s.begin(ctx, subject, from, settle, s.newSession, func(row store.Session, granted claims.Claims, at time.Time) error {
		tokens, err = s.answer(ctx, row, granted, at)
		return err
	})
	return tokens, err
}

// begin stores the row of a session and makes the tokens. It starts again if the owner of the wallet changed in the meantime, and
// with a later time if a revocation of the subject happened at the same time.
func (s *Service) begin(
	ctx context.Context, subject store.Subject, from Origin, settle func() error, newRow func(links.Owner, Origin) store.Session,
	answer func(row store.Session, granted claims.Claims, at time.Time) error,
) error {
	if err := s.Ready(ctx); err != nil {
		return err
	}
	var last links.Owner
	var again time.Time
	for try := range maxStartTries {
		owner, err := s.owner(ctx, subject, try > 0)
		if err == nil && try > 0 && owner == last {
			from.At, err = s.beginAgain(ctx, again)
		}
		last = owner
		var granted claims.Claims
		if err == nil {
			granted, err = s.claims(ctx, owner.Subject)
		}
		if try == 0 && settle != nil && (err == nil || errors.Is(err, claims.ErrSubjectRefused)) {
			if refusal := settle(); refusal != nil {
				return refusal
			}
		}
		if err != nil {
			return err
		}
		row := newRow(owner, from)
		cutOff, err := s.c.Store.Create(ctx, row)
		if err != nil {
			return err
		}
		again = time.UnixMilli(cutOff + 1)
		if cutOff == 0 {
			if err := answer(row, granted, from.At); !errors.Is(err, ErrEnded) {
				return err
			}
			again = nextSecond(from.At)
		}
	}
	return errors.New("session: the subject was revoked again during each attempt to sign in")
}

// owner returns the subject to which an authenticated wallet belongs. A wallet that was removed from its subject is refused: the
// error matches links.ErrLeft and ErrSubjectRefused. fresh means that a store has refused the owner that was returned before.
func (s *Service) owner(ctx context.Context, subject store.Subject, fresh bool) (links.Owner, error) {
	owner, err := s.c.Links.Owner(ctx, links.Alone(subject), fresh)
	if errors.Is(err, links.ErrLeft) {
		err = fmt.Errorf("%w: %w", claims.ErrSubjectRefused, err)
	}
	return owner, err
}

const (
	maxStartTries = 3
	// maxCutOffWait is the maximum time by which the cut-off of Revoker.Subject is ahead of the clock that set it.
	maxCutOffWait = time.Second + revocation.SignInDelay
)

// beginAgain is for a sign-in during a revocation of its subject: it waits until the revocation is finished and returns a later
// time, so that the tokens are issued after the revocation and are valid. If this clock is behind that of the revoking process,
// that time is ahead of this clock; more than MaxAhead is an error.
func (s *Service) beginAgain(ctx context.Context, began time.Time) (time.Time, error) {
	ahead := began.Sub(s.c.Clock())
	if ahead > MaxAhead(s.c.Skew) {
		return began, fmt.Errorf("session: the subject has a revocation whose time is %s ahead of this clock: compare the clocks of the instances", ahead)
	}
	select {
	case <-time.After(min(ahead, maxCutOffWait)):
		return began, nil
	case <-ctx.Done():
		return began, ctx.Err()
	}
}

// MaxAhead returns how far ahead of this clock a token may be issued, after a revocation by a process whose clock is ahead by the
// skew.
func MaxAhead(skew time.Duration) time.Duration { return skew + maxCutOffWait + time.Second }

func nextSecond(t time.Time) time.Time { return t.Truncate(time.Second).Add(time.Second) }

func (s *Service) newSession(owner links.Owner, from Origin) store.Session {
	subject := owner.Subject
	ms, id := from.At.UnixMilli(), token.RandomID()
	ends := from.At.Add(s.c.Max).UnixMilli()
	var checked int64
	if from.Proof != (store.WalletProof{}) {
		checked = ms
	}
	return store.Session{
		ID: id, Proof: from.Proof, CheckedAt: checked, Subject: subject, StartedAt: ms, RotatedAt: ms, EndsAt: ends,
		ExpiresAt: min(from.At.Add(s.c.Idle).UnixMilli(), ends), Credential: s.credential(subject.Kind, id),
		ClientID: from.ClientID, RequestID: from.RequestID, Client: from.Client, UserAgent: from.UserAgent, Mark: owner.Mark,
		KeyThumbprint: from.KeyThumbprint,
	}
}

// ErrClaimsProvider matches errors of the claims provider, except a refusal.
var ErrClaimsProvider = errors.New("claims provider")

func (s *Service) claims(ctx context.Context, subject store.Subject) (claims.Claims, error) {
	ctx, span := app.StartSpan(ctx, "claims.provide")
	granted, err := s.c.Claims.Claims(ctx, subject)
	app.EndSpan(span, err)
	if err != nil {
		if errors.Is(err, claims.ErrSubjectRefused) {
			return claims.Claims{}, err
		}
		return claims.Claims{}, fmt.Errorf("%w: %w", ErrClaimsProvider, err)
	}
	granted.Role = cmp.Or(granted.Role, s.defaultRole(subject.Kind))
	return granted, nil
}

// credential returns the Credential of a session, empty for a subject that is not the administrator. It is a keyed hash, so that a
// stolen row does not help to guess the password, and it is valid for one session only.
func (s *Service) credential(kind, sid string) string {
	if kind != store.KindAdmin {
		return ""
	}
	if !s.c.Admin.Enabled {
		return "closed" // no login gets this value, so existing sessions end
	}
	sum := s.credentials.Of(mac.Fields{}.Texts(sid, s.c.Admin.Email, s.c.Admin.Password))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (s *Service) defaultRole(kind string) string {
	if kind == store.KindAdmin {
		return s.c.Admin.Role
	}
	return store.KindWallet
}

// answer makes the tokens of a session without OAuth.
func (s *Service) answer(ctx context.Context, row store.Session, granted claims.Claims, began time.Time) (Tokens, error) {
	if started := time.UnixMilli(row.StartedAt); began.Before(started) && !started.After(began.Add(MaxAhead(s.c.Skew))) {
		began = started // the time of the sign-in, which may be ahead of this clock after a revocation
	}
	begun, err := s.issue(ctx, Begun{Session: row}, accessTokenOf(row.ID, row.Subject, granted, began), began)
	return begun.Tokens, err
}

// issue adds the tokens to a session, and checks again whether they were revoked since a time. The denylist was available before;
// if it has become too old in the meantime, the request succeeds all the same.
func (s *Service) issue(ctx context.Context, of Begun, request token.Request, since time.Time) (Begun, error) {
	row := of.Session
	refresh, err := s.refresh.Encode(row, of.Grant)
	if err != nil {
		return Begun{}, err
	}
	request.RequestID, request.KeyThumbprint = row.RequestID, row.KeyThumbprint
	access, mint, err := s.c.Tokens.Issue(ctx, request)
	if err != nil {
		return Begun{}, err
	}
	ref := refOf(row)
	if ref.IssuedAt = since.Unix(); s.c.Denylist.Listed(ref) {
		return Begun{}, ErrEnded
	}
	of.Tokens = Tokens{
		AccessToken: access, RefreshToken: refresh, TokenType: token.TypeOf(row.KeyThumbprint), ExpiresIn: mint.ExpiresAt - mint.IssuedAt, Subject: row.Subject,
	}
	of.IssuedAt = mint.IssuedAt
	return of, nil
}

func accessTokenOf(sid string, subject store.Subject, granted claims.Claims, began time.Time) token.Request {
	return token.Request{
		Subject: subject.ID, Role: granted.Role, Groups: granted.Groups, Scope: granted.Scope, Extra: granted.Extra,
		Email: granted.Email, Name: granted.Name,
		SessionID: sid, IssuedAt: began, Kind: subject.Kind, Wallet: subject,
	}
}
