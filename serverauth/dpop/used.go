package dpop

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/store"
)

// used is the verify.ProofStore on the store that all instances of the issuer share.
type used struct {
	store  store.UsedStore
	margin time.Duration // how far the clocks of instances may differ
}

// Spend implements verify.ProofStore.
func (u used) Spend(ctx context.Context, thumbprint, id string, until, _ time.Time) (bool, error) {
	digest := sha256.Sum256(mac.Fields{}.Texts("DPoP proof", thumbprint, id))
	first, err := u.store.Use(ctx, digest, nil, until.Add(u.margin).UnixMilli())
	if errors.Is(err, store.ErrTooManyPending) {
		err = errFull // not the fault of the client
	}
	return first, err
}

var errFull = errors.New("dpop: the store of used proofs is full")
