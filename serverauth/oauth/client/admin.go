package client

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/internal/events"
)

// Admin has the endpoints with which operators add, list and remove clients. Its errors are problems.
type Admin struct {
	Registry *Registry
	// Operator returns the caller of a request whose token is an operator's, otherwise an error.
	Operator func(echo.Context) (*verify.SecurityContext, error)
	Log      *slog.Logger
}

const (
	defaultClients = 200
	maxListed      = 1000
)

type listReply struct {
	Items []Config `json:"items"` // in the order of their ids
	// Next is the value of `after` for the next page; absent on the last page.
	Next string `json:"next,omitzero"`
}

// List is GET /clients: the clients of the store.
func (a *Admin) List(c echo.Context) error {
	if _, err := a.Operator(c); err != nil {
		return err
	}
	limit, after := defaultClients, ""
	for name, values := range c.QueryParams() {
		switch {
		case len(values) > 1:
			return badParameter("query parameter given twice: " + name)
		case name == "after":
			after = values[0]
		case name == "limit":
			n, err := strconv.ParseUint(values[0], 10, 31)
			if err != nil || n == 0 {
				return badParameter("limit must be a whole number from 1 to " + strconv.Itoa(maxListed))
			}
			limit = int(min(n, maxListed))
		default:
			return badParameter("unknown query parameter: " + strconv.Quote(printable(name)))
		}
	}
	items, next, err := a.Registry.List(c.Request().Context(), after, limit)
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return app.WriteJSON(c.Response(), http.StatusOK, listReply{items, next})
}

func badParameter(detail string) error {
	return app.NewProblem(http.StatusBadRequest, "invalid_parameter", detail)
}

// Create is POST /clients. Only its reply contains the client's secret.
func (a *Admin) Create(c echo.Context) error {
	operator, err := a.Operator(c)
	if err != nil {
		return err
	}
	var asked Config
	if err := app.DecodeJSON(c.Response(), c.Request(), &asked); err != nil {
		return err
	}
	ctx := c.Request().Context()
	made, err := a.Registry.Add(ctx, asked)
	var faulty *config.Error
	switch {
	case errors.Is(err, ErrTaken):
		return app.NewProblem(http.StatusConflict, "client_exists", "there is a client with this id")
	case errors.As(err, &faulty):
		return app.NewProblem(http.StatusBadRequest, "invalid_value", faulty.Key+": "+faulty.Reason)
	case err != nil:
		return err
	}
	events.Log(ctx, a.Log, events.ClientCreated, "client_id", asked.ID, "by", operator.Subject, "client", app.ClientIP(c))
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return app.WriteJSON(c.Response(), http.StatusCreated, made)
}

// Delete is DELETE /clients/{id}.
func (a *Admin) Delete(c echo.Context) error {
	operator, err := a.Operator(c)
	if err != nil {
		return err
	}
	id := c.Param("id")
	if c.Request().URL.RawPath != "" { // then the router has matched the escaped path
		if id, err = url.PathUnescape(id); err != nil {
			return badParameter("the id cannot be read")
		}
	}
	ctx := c.Request().Context()
	deleted, err := a.Registry.Delete(ctx, id)
	switch {
	case err != nil:
		return err
	case !deleted:
		return app.NewProblem(http.StatusNotFound, "client_not_found", "there is no such client in the store")
	}
	events.Log(ctx, a.Log, events.ClientDeleted, "client_id", id, "by", operator.Subject, "client", app.ClientIP(c))
	return c.NoContent(http.StatusNoContent)
}
