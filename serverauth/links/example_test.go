package links_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/picoauth/picoauth/serverauth/links"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
)

// noSessions stands for the revoker of a server that has no session yet.
type noSessions struct{}

func (noSessions) OwnSession(context.Context, string, revocation.Cause) error { return nil }

func Example() {
	ctx := context.Background()
	secret := func() []byte { return make([]byte, 32) } // of a keys.Ring
	book := links.NewBook(store.NewInMemoryLinkStore(), secret, slog.New(slog.DiscardHandler))
	registrar := links.NewRegistrar(links.RegistrarConfig{Book: book, Sessions: store.NewInMemorySessionStore(), Revoker: noSessions{}})

	phone := store.Subject{ID: "0x88ca19624e3Dc8bC999a5b947488F0A2EA29a535", Kind: store.KindWallet, Algorithm: "eip191"}
	laptop := store.Subject{ID: "AfdQXYht8Jcm2gDyWzZat7m33M4sUqhUkLc9VDxMdpAX", Kind: store.KindWallet, Algorithm: "Ed25519"}
	signedIn := links.MemberOf(store.Session{Subject: phone, StartedAt: 1_795_435_200_000})
	if _, err := registrar.Join(ctx, signedIn, laptop, false); err != nil {
		fmt.Println(err)
	}
	owner, _ := book.Owner(ctx, laptop, false)
	fmt.Println(owner.Subject.ID, "by", owner.Subject.WalletAddress())

	if _, err := registrar.Leave(ctx, signedIn, phone.ID); err != nil { // the phone is lost
		fmt.Println(err)
	}
	_, err := book.Owner(ctx, phone, false)
	fmt.Println(errors.Is(err, links.ErrLeft))
	// Output:
	// 0x88ca19624e3Dc8bC999a5b947488F0A2EA29a535 by AfdQXYht8Jcm2gDyWzZat7m33M4sUqhUkLc9VDxMdpAX
	// true
}
