package serverauth

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// keyAdmin shows and rotates the signing keys.
type keyAdmin struct {
	guard   *guard
	ring    *keys.Ring
	revoker *Revoker
	log     *slog.Logger
}

type keyItem struct {
	KID         string  `json:"kid"`
	Algorithm   string  `json:"alg"`
	State       string  `json:"state"`
	CreatedAt   string  `json:"created_at"`
	ActivatesAt *string `json:"activates_at"`
	RetiresAt   *string `json:"retires_at"`
}

type keyList struct {
	Items []keyItem `json:"items"`
}

// list is GET /keys.
func (f *keyAdmin) list(c echo.Context) error {
	if _, err := f.guard.operator(c); err != nil {
		return err
	}
	return f.show(c)
}

// rotate is POST /keys/rotate.
func (f *keyAdmin) rotate(c echo.Context) error {
	operator, err := f.guard.operator(c)
	if err != nil {
		return err
	}
	next, err := f.ring.Rotate(c.Request().Context())
	if errors.Is(err, keys.ErrTooManyKeys) {
		return app.NewProblem(http.StatusTooManyRequests, "too_many_keys", "too many retired keys are still published")
	}
	if err != nil {
		return err
	}
	securityEvent(c.Request().Context(), f.log, eventKeysRotated, "kid", next.ID, "state", next.State, "by", operator.Subject)
	return f.show(c)
}

// compromised is POST /keys/{kid}/compromised. The key leaves the ring before it goes on the denylist: from then on the
// spare signs, and an operator can sign in to try again where a crash came in between. A key that left before is found
// as its tombstone.
func (f *keyAdmin) compromised(c echo.Context) error {
	operator, err := f.guard.operator(c)
	if err != nil {
		return err
	}
	ctx, kid := c.Request().Context(), c.Param("kid")
	if _, err := f.ring.Compromise(ctx, kid); errors.Is(err, keys.ErrUnknownKey) {
		return errKeyNotFound
	} else if err != nil {
		return err
	}
	if _, err := f.revoker.Key(ctx, kid, Cause{By: operator.Subject, Reason: "key compromised"}); err != nil {
		return err
	}
	securityAlarm(ctx, f.log, eventKeyCompromised, "kid", kid, "by", operator.Subject)
	return f.show(c)
}

var errKeyNotFound = app.NewProblem(http.StatusNotFound, "key_not_found", "there is no such key")

func (f *keyAdmin) show(c echo.Context) error {
	list := keyList{Items: []keyItem{}}
	for _, k := range f.ring.List() {
		list.Items = append(list.Items, keyItem{
			KID: k.ID, Algorithm: k.Algorithm, State: string(k.State), CreatedAt: *rfc3339(k.CreatedAt),
			ActivatesAt: rfc3339(k.ActivatesAt), RetiresAt: rfc3339(k.RetiresAt),
		})
	}
	return reply(c, list)
}

// rfc3339 is nil for a time that is not set.
func rfc3339(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return &text
}
