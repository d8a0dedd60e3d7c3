package serverauth

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
)

const (
	defaultMintsLimit = 200
	maxMintsLimit     = 1000
)

// mintsFlow shows an operator which access tokens were made.
type mintsFlow struct {
	guard    *guard
	audit    *AuditRecorder
	denylist clientauth.Denylist
}

type mintsReply struct {
	Items []mintItem `json:"items"` // newest first
	Head  AuditHead  `json:"head"`
}

type mintItem struct {
	Mint
	Revoked bool `json:"revoked"`
	// Lost is above 0 for a gap: so many mints are not known. All but iat and exp is empty then.
	Lost int64 `json:"lost,omitempty"`
}

// list is GET /mints.
func (f *mintsFlow) list(c echo.Context) error {
	if _, err := f.guard.operator(c); err != nil {
		return err
	}
	limit, err := mintsLimit(c)
	if err != nil {
		return err
	}
	entries, head, err := f.audit.Latest(c.Request().Context(), limit)
	if err != nil {
		return err
	}
	items := make([]mintItem, len(entries))
	for i, entry := range entries {
		items[i] = mintItem{Mint: entry.Mint, Lost: entry.Lost}
		if items[i].Revoked, err = f.revoked(c.Request().Context(), entry); err != nil {
			return err
		}
	}
	return reply(c, mintsReply{Items: items, Head: head})
}

func (f *mintsFlow) revoked(ctx context.Context, entry AuditEntry) (bool, error) {
	if entry.Lost > 0 {
		return false, nil
	}
	m := entry.Mint
	return f.denylist.Denied(ctx, clientauth.TokenRef{
		ID: m.ID, SessionID: m.SessionID, Subject: m.Subject, WalletID: m.WalletID, IssuedAt: m.IssuedAt,
	})
}

func mintsLimit(c echo.Context) (int, error) {
	text := c.QueryParam("limit")
	if text == "" {
		return defaultMintsLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxMintsLimit {
		return 0, app.NewProblem(http.StatusBadRequest, "invalid_parameter", "limit must be a whole number from 1 to 1000")
	}
	return limit, nil
}
