package serverauth

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/revocation"
)

const (
	maxRevocationID     = 8192
	maxRevocationReason = 1024
)

// revokeFlow revokes a token, a session or a subject, for operators.
type revokeFlow struct {
	*parts
	revoker *revocation.Revoker
}

type revokeRequest struct {
	JTI    string `json:"jti"`
	SID    string `json:"sid"`
	Sub    string `json:"sub"`
	Reason string `json:"reason"`
}

type revokeReply struct {
	Revoked revokedItem  `json:"revoked"`
	Ended   revokedCount `json:"ended"`
}

// revokedCount counts the sessions and tokens that were live until the call.
type revokedCount struct {
	Sessions int `json:"sessions"`
	Tokens   int `json:"tokens"`
}

// revokedItem is a revocation of a token, a session or a subject, including empty fields.
type revokedItem struct {
	JTI       string `json:"jti"`
	SID       string `json:"sid"`
	Sub       string `json:"sub"`
	RevokedAt int64  `json:"revoked_at"`
	Reason    string `json:"reason"`
	RevokedBy string `json:"revoked_by"`
	Exp       int64  `json:"exp"`
}

// revoke is POST /revoke.
func (f *revokeFlow) revoke(c echo.Context) error {
	operator, err := f.guard.operator(c)
	if err != nil {
		return err
	}
	var request revokeRequest
	if err := app.DecodeJSON(c.Response(), c.Request(), &request); err != nil {
		return err
	}
	ended, err := f.apply(c, request, revocation.Cause{By: operator.Subject, Reason: request.Reason})
	if err != nil {
		return err
	}
	item := ended.Item
	events.Log(c.Request().Context(), f.log, events.Revoked, "jti", item.JTI, "sid", item.SID, "sub", item.Sub, "by", operator.Subject,
		"sessions", ended.Sessions, "tokens", ended.Tokens)
	return reply(c, revokeReply{revokedItem{
		JTI: item.JTI, SID: item.SID, Sub: item.Sub, RevokedAt: item.RevokedAt, Reason: item.Reason, RevokedBy: item.RevokedBy, Exp: item.Exp,
	}, revokedCount{ended.Sessions, ended.Tokens}})
}

func (f *revokeFlow) apply(c echo.Context, r revokeRequest, cause revocation.Cause) (revocation.Ended, error) {
	ctx := c.Request().Context()
	named := 0
	for _, id := range []*string{&r.JTI, &r.SID, &r.Sub} {
		if len(*id) > maxRevocationID || len(r.Reason) > maxRevocationReason {
			return revocation.Ended{}, app.NewProblem(http.StatusBadRequest, "invalid_field",
				"jti, sid and sub are at most 8192 bytes, reason at most "+strconv.Itoa(maxRevocationReason))
		}
		if *id = strings.TrimSpace(*id); *id != "" {
			named++
		}
	}
	switch {
	case named == 0:
		return revocation.Ended{}, app.NewProblem(http.StatusBadRequest, "jti_required", "jti required")
	case named > 1:
		return revocation.Ended{}, app.NewProblem(http.StatusBadRequest, "ambiguous_revocation", "only one of jti, sid and sub can be revoked at once")
	case r.JTI != "":
		return f.revoker.Token(ctx, r.JTI, cause)
	case r.SID != "":
		return f.revoker.Session(ctx, r.SID, cause)
	default:
		return f.revoker.Subject(ctx, r.Sub, cause)
	}
}
