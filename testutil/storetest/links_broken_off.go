package storetest

import (
	"context"

	"github.com/picoauth/picoauth/serverauth/store"
)

// linksBrokenOff: a change that is broken off is made whole or not at all.
func linksBrokenOff(e linkEnv) {
	brokenOff(e, []operation[store.LinkStore]{
		{"change", func(e linkEnv, links store.LinkStore, n int) (call, check[store.LinkStore]) {
			s := linkSuite{e, links}
			subject := numbered("subject", n)
			guard, wallet := s.link(2*n, subject), s.link(2*n+1, subject)
			s.change(links, true, added(guard))
			after := changed(guard, n)
			var done bool
			return func(ctx context.Context) (err error) {
					done, err = links.Change(ctx, []store.LinkChange{replacing(guard, after), added(wallet)})
					return err
				}, func(other store.LinkStore, err error) {
					_, made, _, failed := other.Find(background, wallet.Wallet.ID)
					e.ok(failed)
					if err == nil && !done || done && !made {
						e.Errorf("done: %v, made: %v, %v", done, made, err)
					}
					if made {
						s.lists(other, subject, after, wallet)
					} else {
						s.lists(other, subject, guard)
					}
				}
		}},
	})
}
