package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/picoauth/picoauth/testutil"
)

// The values of --mode.
const (
	modeSignIn    = "sign-in"
	modeRefresh   = "refresh"
	modeProtected = "protected"
	modeJWKS      = "jwks"
	modeChallenge = "challenge"
	modeMix       = "mix"
)

func modes() []string {
	return []string{modeSignIn, modeRefresh, modeProtected, modeJWKS, modeChallenge, modeMix}
}

// operation is what a connection does again and again.
type operation func(context.Context) error

// newOperation gets one connection ready: it has a wallet of its own, and a session where the mode needs one.
func (t *target) newOperation(ctx context.Context, cfg config) (operation, error) {
	u, err := newUser(ctx, t, cfg)
	if err != nil {
		return nil, err
	}
	switch cfg.mode {
	case modeRefresh:
		return u.refresh, nil
	case modeProtected:
		t.access = u.access
		return u.protected, u.checkProtected(ctx)
	case modeJWKS:
		return u.jwks, nil
	case modeChallenge:
		return u.challenge, nil
	case modeMix:
		return u.mix(ctx), nil
	}
	return u.signIn, nil
}

// user is a wallet and its session.
type user struct {
	target  *target
	wallet  *testutil.Wallet
	access  string
	session string // refresh token
}

func newUser(ctx context.Context, t *target, cfg config) (*user, error) {
	wallet, err := testutil.NewWallet(cfg.algorithm)
	if err != nil {
		return nil, err
	}
	u := &user{target: t, wallet: wallet}
	if err := u.signIn(ctx); err != nil {
		return nil, fmt.Errorf("sign in at %s: %w", t.url, err)
	}
	return u, nil
}

func (u *user) ask(ctx context.Context) (challenge testutil.Challenge, err error) {
	ask := map[string]string{"address": u.wallet.Address, "algorithm": u.wallet.Algorithm}
	return challenge, u.target.post(ctx, prefix+"/challenge", ask, &challenge)
}

func (u *user) challenge(ctx context.Context) error {
	_, err := u.ask(ctx)
	return err
}

func (u *user) signIn(ctx context.Context) error {
	challenge, err := u.ask(ctx)
	if err != nil {
		return err
	}
	request, err := testutil.SignInRequest(u.wallet, challenge)
	if err != nil {
		return err
	}
	return u.tokens(ctx, "/sign-in", request)
}

func (u *user) refresh(ctx context.Context) error {
	return u.tokens(ctx, "/refresh", map[string]string{"refresh_token": u.session})
}

func (u *user) tokens(ctx context.Context, path string, request any) error {
	var in testutil.SignedIn
	if err := u.target.post(ctx, prefix+path, request, &in); err != nil {
		return err
	}
	u.access, u.session = in.AccessToken, in.RefreshToken
	return nil
}

func (u *user) jwks(ctx context.Context) error {
	_, err := u.target.get(ctx, prefix+"/jwks", "")
	return err
}

func (u *user) protected(ctx context.Context) error {
	_, err := u.target.get(ctx, u.target.path, u.access)
	return err
}

func (u *user) checkProtected(ctx context.Context) error {
	err := u.protected(ctx)
	if isAbsent(err) {
		return fmt.Errorf("%s has no route %s; examples/embedded has one, and --path names another: %w", u.target.url, u.target.path, err)
	}
	return err
}

func isAbsent(err error) bool {
	var status *testutil.StatusError
	return errors.As(err, &status) && status.Status == http.StatusNotFound
}

// mix is a day of a service in a hundred operations: many protected requests, some refreshes, few sign-ins. A server
// that has no protected route is asked for its keys instead.
func (u *user) mix(ctx context.Context) operation {
	protected := u.protected
	if isAbsent(u.protected(ctx)) {
		protected = u.jwks
	}
	share := []struct {
		of   int
		what operation
	}{{70, protected}, {12, u.refresh}, {8, u.jwks}, {5, u.signIn}, {5, u.challenge}}
	var day []operation
	for _, s := range share {
		for range s.of {
			day = append(day, s.what)
		}
	}
	at := 0
	return func(ctx context.Context) error {
		at = (at + 37) % len(day) // 37 and 100 have no common divisor: all come, well mixed
		return day[at](ctx)
	}
}
