package oauth

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/oauth/workload"
)

const (
	// kindWorkload is the kind, in the mint audit, of a token that a workload got for an assertion.
	kindWorkload = "workload"
	// maxWorkloadLife is the maximum lifetime of such a token, whatever access_token_expire_minutes says: a new one needs no
	// person.
	maxWorkloadLife = time.Hour
)

var errAssertionMissing = errInvalidRequest("assertion is missing")

// asker returns the client of a request to /token. For an assertion (RFC 7523, section 2.1) it also returns the workload.
func (s *Server) asker(c echo.Context, form url.Values) (*client.Client, *workload.Identity, error) {
	kind := form.Get("grant_type")
	switch {
	case kind == client.GrantJWTBearer:
		return s.asserted(c, form, form.Get("assertion"))
	case kind == client.GrantExchange && form.Get("subject_token_type") == typeJWT && form.Get("actor_token") == "":
		return s.asserted(c, form, form.Get("subject_token"))
	case kind == client.GrantExchange:
		known, err := s.exchanger(c, form)
		return known, nil, err
	default:
		known, err := s.authenticate(c, form)
		return known, nil, err
	}
}

// asserted returns the client and workload of an assertion. It needs no other credentials. If there are any, they must be those of
// the workload's client (RFC 7523, section 3.1).
func (s *Server) asserted(c echo.Context, form url.Values, assertion string) (*client.Client, *workload.Identity, error) {
	ctx, named := c.Request().Context(), form.Get("client_id")
	if client.Authenticates(c.Request().Header, form) {
		known, err := s.authenticate(c, form)
		switch {
		case err != nil:
			return nil, nil, err
		case !known.AllowsGrant(client.GrantJWTBearer):
			return nil, nil, errUnauthorizedClient("the client may not use this grant_type")
		}
		named = known.ID
	}
	if assertion == "" {
		return nil, nil, errAssertionMissing
	}
	found, err := s.workloads.Identify(ctx, assertion)
	if err != nil {
		return nil, nil, err
	}
	if named != "" && named != found.Client.ID {
		return nil, nil, workload.Refused(errors.New("the request is from the client " + shorten(named) + ", but the assertion is for the client " + found.Client.ID))
	}
	known, err := s.likeConfigured(ctx, found.Client)
	return known, found, err
}

// likeConfigured returns a workload's client. It needs DPoP if the client with the same id does.
func (s *Server) likeConfigured(ctx context.Context, of *client.Client) (*client.Client, error) {
	known, err := s.clients.Find(ctx, of.ID)
	switch {
	case errors.Is(err, client.ErrUnknown):
		return of, nil
	case err != nil:
		return nil, err
	}
	bound := *of
	bound.DPoPBound = known.DPoPBound
	return &bound, nil
}

// jwtBearer is the grant urn:ietf:params:oauth:grant-type:jwt-bearer: a token for a workload, without a session. It expires with
// the assertion at the latest.
func (s *Server) jwtBearer(t *tokenRequest) (*granted, error) {
	asked, err := s.askedAlone(t)
	if err != nil {
		return nil, err
	}
	asked.Subject, asked.Kind, asked.Workload = t.workload.Subject, kindWorkload, t.workload.Name
	asked.Until = earliest(t.workload.Expires, t.began.Add(maxWorkloadLife))
	return s.issueAlone(t, asked, func(ctx context.Context) error { return s.workloads.Spend(ctx, t.workload) })
}
