package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

type nothingRecorded struct{}

func (nothingRecorded) Live(context.Context, string, string, string) ([]audit.Mint, error) {
	return nil, nil
}
func (nothingRecorded) Longest(context.Context) (int64, error) { return 0, nil }

// A refresh token serves once; used again it is a stolen one, and ends the session.
func Example() {
	ctx, discard := context.Background(), slog.New(slog.DiscardHandler)
	config := keys.DefaultConfig()
	config.Algorithm = "EdDSA"
	ring, err := keys.Open(ctx, keys.NewMemoryStore(), config)
	if err != nil {
		log.Fatal(err)
	}
	secret := func() []byte { return make([]byte, 32) } // keys.Ring.LiveSecret in earnest
	rows := session.NewStore(store.NewInMemorySessionStore(), secret, discard)
	denylist := revocation.NewDenylist(revocation.DenylistConfig{Store: store.NewInMemoryRevocationStore(), Log: discard})
	if err := denylist.Sync(ctx); err != nil {
		log.Fatal(err)
	}
	const life = 15 * time.Minute
	sessions := session.NewService(session.Config{
		Issuer: "https://auth.example.com", Store: rows, Secret: secret, Claims: claims.NewDefault(), Denylist: denylist, Log: discard,
		Tokens: token.NewIssuer(token.Config{Issuer: "https://auth.example.com", Audience: "shop", Life: life, Ring: ring}),
		Revoker: revocation.NewRevoker(revocation.Config{
			Sessions: rows, Denylist: denylist, Mints: nothingRecorded{}, AccessTTL: life, LongestTTL: life,
		}),
		Max: 90 * 24 * time.Hour, Idle: 7 * 24 * time.Hour, AccessTTL: life,
	})
	alice := store.Subject{ID: "alice", Kind: store.KindWallet}
	first, err := sessions.Start(ctx, alice, session.Origin{At: time.Now()}, nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = sessions.Refresh(ctx, first.RefreshToken, time.Now(), "")
	fmt.Println("once:", err)
	_, err = sessions.Refresh(ctx, first.RefreshToken, time.Now(), "")
	fmt.Println("again:", errors.Is(err, session.ErrReused))
	// Output:
	// once: <nil>
	// again: true
}
