package links

import (
	"context"
	"errors"

	"github.com/picoauth/picoauth/serverauth/store"
)

// None is the LinkStore of a storage without one: it has no links, and no wallet can be added.
type None struct{}

var errNoStore = errors.New("links: this storage cannot store which wallets belong to a subject: set server_auth.link_storage_url")

// Find implements store.LinkStore.
func (None) Find(context.Context, string) (row store.Link, found, named bool, err error) {
	return store.Link{}, false, false, nil
}

// List implements store.LinkStore.
func (None) List(context.Context, string) ([]store.Link, error) { return nil, nil }

// Change implements store.LinkStore.
func (None) Change(context.Context, []store.LinkChange) (bool, error) { return false, errNoStore }

// Any implements store.LinkStore.
func (None) Any(context.Context) (bool, error) { return false, nil }
