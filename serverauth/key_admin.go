package serverauth

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/revocation"
)

// keyAdmin lists and rotates the signing keys, and marks them as compromised.
type keyAdmin struct {
	*parts
	ring    *keys.Ring
	revoker *revocation.Revoker
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
	if _, err := queryParameters(c); err != nil {
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
	events.Log(c.Request().Context(), f.log, events.KeysRotated, "kid", next.ID, "state", next.State, "by", operator.Subject)
	return f.show(c)
}

// compromised is POST /keys/{kid}/compromised. It removes the key from the key ring first and adds it to the denylist second:
// after the first step another key signs, so that an operator can sign in and try again if the server crashes between the two.
// A key that was removed before is found by its tombstone.
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
	if _, err := f.revoker.Key(ctx, kid, revocation.Cause{By: operator.Subject, Reason: "key compromised"}); err != nil {
		return err
	}
	events.Alarm(ctx, f.log, events.KeyCompromised, "kid", kid, "by", operator.Subject)
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

// rfc3339 formats a time. It returns nil for the zero time.
func rfc3339(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return &text
}
