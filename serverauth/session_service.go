package serverauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
)

// Tokens is what a sign-in, a login and a refresh answer.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
}

// SessionService starts and continues sessions: it asks the ClaimsProvider, keeps the row and makes the tokens.
type SessionService struct {
	settings ServerAuthSettings
	store    SessionStore
	issuer   *TokenIssuer
	provider ClaimsProvider
	revoker  *Revoker
	denylist *Denylist
	refresh  refreshCodec
	now      app.Clock
}

// SessionDeps is what a SessionService is made of. Clock may be nil.
type SessionDeps struct {
	Settings ServerAuthSettings
	Store    SessionStore
	Issuer   *TokenIssuer
	Provider ClaimsProvider
	Revoker  *Revoker
	Denylist *Denylist
	// RefreshKey signs refresh tokens and is known to nobody else: 32 bytes.
	RefreshKey []byte
	Clock      app.Clock
}

// NewSessionService returns the service.
func NewSessionService(d SessionDeps) *SessionService {
	return &SessionService{
		settings: d.Settings, store: d.Store, issuer: d.Issuer, provider: d.Provider, revoker: d.Revoker, denylist: d.Denylist,
		refresh: newRefreshCodec(d.Settings.Issuer, d.RefreshKey), now: clockOr(d.Clock),
	}
}

// Start begins a session for a subject that has proved who it is. began is when its request came in: tokens are
// issued as of then, so that whatever was revoked meanwhile hits them.
func (s *SessionService) Start(ctx context.Context, subject Subject, began time.Time) (Tokens, error) {
	for range maxStartTries {
		claims, err := s.claims(ctx, subject)
		if err != nil {
			return Tokens{}, err
		}
		row := s.newSession(subject, began)
		cutOff, err := s.store.Create(ctx, row)
		if err != nil {
			return Tokens{}, fmt.Errorf("session store: %w", err)
		}
		again := time.UnixMilli(cutOff)
		if cutOff == 0 {
			tokens, err := s.answer(ctx, row, claims, began)
			if !errors.Is(err, errSessionEnded) {
				return tokens, err
			}
			again = began.Truncate(time.Second).Add(time.Second)
		}
		if began, err = s.beginAfter(ctx, again); err != nil {
			return Tokens{}, err
		}
	}
	return Tokens{}, errors.New("serverauth: the subject is being revoked again and again")
}

const (
	maxStartTries = 3
	maxCutOffWait = 5 * time.Second
)

// beginAfter is for a request that met the revocation of its own subject: it waits until the revocation is over and
// returns a new beginning, so that what it gets is issued after the revocation and not hit by it.
func (s *SessionService) beginAfter(ctx context.Context, cutOff time.Time) (time.Time, error) {
	began := cutOff.Add(time.Millisecond)
	wait := began.Sub(s.now())
	if wait > maxCutOffWait {
		return began, fmt.Errorf("serverauth: a revocation lies %s ahead of this clock", wait)
	}
	select {
	case <-time.After(wait):
		return began, nil
	case <-ctx.Done():
		return began, ctx.Err()
	}
}

func (s *SessionService) newSession(subject Subject, began time.Time) Session {
	ms := began.UnixMilli()
	ends := began.Add(s.settings.SessionMax()).UnixMilli()
	return Session{
		ID: randomID(), Subject: subject, StartedAt: ms, RotatedAt: ms, EndsAt: ends,
		ExpiresAt: min(began.Add(s.settings.RefreshTokenTTL()).UnixMilli(), ends), Credential: s.credential(subject.Kind),
	}
}

// errClaimsProvider tells what the app's ClaimsProvider failed with from what else fails.
var errClaimsProvider = errors.New("claims provider")

func (s *SessionService) claims(ctx context.Context, subject Subject) (Claims, error) {
	ctx, span := app.StartSpan(ctx, "claims.provide")
	claims, err := s.provider.Claims(ctx, subject)
	app.EndSpan(span, err)
	if err != nil {
		if errors.Is(err, ErrSubjectRefused) {
			return Claims{}, err
		}
		return Claims{}, fmt.Errorf("%w: %w", errClaimsProvider, err)
	}
	if claims.Role == "" {
		claims.Role = s.defaultRole(subject.Kind)
	}
	return claims, nil
}

// credential is the Credential of a session that begins now. It is keyed, so that a stolen row does not help to
// guess the password.
func (s *SessionService) credential(kind string) string {
	if kind != KindAdmin {
		return ""
	}
	if !s.settings.AutoCreateAdmin {
		return "closed" // no login would get this: what began before ends
	}
	sum := s.refresh.macs.of(nil, "admin\x00"+s.settings.AdminEmail+"\x00"+s.settings.AdminPassword)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (s *SessionService) defaultRole(kind string) string {
	if kind == KindAdmin {
		return s.settings.AdminRole
	}
	return KindWallet
}

// answer makes the tokens of a session and looks once more whether they were revoked while they were made.
func (s *SessionService) answer(ctx context.Context, row Session, claims Claims, began time.Time) (Tokens, error) {
	tokens, err := s.tokens(ctx, row, claims, began)
	if err != nil {
		return Tokens{}, err
	}
	denied, err := s.denylist.Denied(ctx, clientauth.TokenRef{
		SessionID: row.ID, Subject: row.Subject.ID, WalletID: row.Subject.WalletID, IssuedAt: began.Unix(),
	})
	if err != nil {
		return Tokens{}, err
	}
	if denied {
		return Tokens{}, errSessionEnded
	}
	return tokens, nil
}

func (s *SessionService) tokens(ctx context.Context, row Session, claims Claims, began time.Time) (Tokens, error) {
	refresh, err := s.refresh.encode(row)
	if err != nil {
		return Tokens{}, err
	}
	request := AccessTokenRequest{
		Subject: row.Subject.ID, Role: claims.Role, Groups: claims.Groups, Scope: claims.Scope, Extra: claims.Extra,
		SessionID: row.ID, IssuedAt: began, Kind: row.Subject.Kind, Wallet: row.Subject,
	}
	access, mint, err := s.issuer.issue(ctx, request)
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{AccessToken: access, RefreshToken: refresh, TokenType: "Bearer", ExpiresIn: mint.ExpiresAt - mint.IssuedAt}, nil
}
