package revocation_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
)

// nothingRecorded is a mint audit without entries.
type nothingRecorded struct{}

func (nothingRecorded) Live(context.Context, string, string, string) ([]audit.Mint, error) {
	return nil, nil
}
func (nothingRecorded) Longest(context.Context) (int64, error) { return 0, nil }

// What a Revoker has ended, the Denylist of its process denies at once.
func Example() {
	ctx := context.Background()
	denylist := revocation.NewDenylist(revocation.DenylistConfig{Store: store.NewInMemoryRevocationStore(), Log: slog.New(slog.DiscardHandler)})
	if err := denylist.Sync(ctx); err != nil {
		log.Fatal(err)
	}
	revoker := revocation.NewRevoker(revocation.Config{
		Sessions: store.NewInMemorySessionStore(), Denylist: denylist, Mints: nothingRecorded{},
		AccessTTL: 15 * time.Minute, LongestTTL: 15 * time.Minute,
	})
	if _, err := revoker.Token(ctx, "a stolen token's jti", revocation.Cause{By: "operator", Reason: "stolen"}); err != nil {
		log.Fatal(err)
	}
	denied, err := denylist.Denied(ctx, clientauth.TokenRef{ID: "a stolen token's jti"})
	fmt.Println(denied, err)
	// Output: true <nil>
}
