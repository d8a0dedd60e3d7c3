package serverauth

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/internal/subject"
)

// mintsFlow lists the access tokens that were issued, for operators.
type mintsFlow struct {
	*parts
	adminEmail string
	audit      *audit.Recorder
	denylist   clientauth.Denylist
}

type mintsReply struct {
	Items []mintItem `json:"items"` // newest first
	Head  audit.Head `json:"head"`
	Next  string     `json:"next,omitzero"` // the `before` of the next page; left out of the last one
}

type mintItem struct {
	audit.Mint
	SID     string `json:"sid"` // session_id again, under its name in the token
	Revoked bool   `json:"revoked"`
	// Lost is above 0 for a gap in the audit: the number of tokens that were not recorded. Then all other fields except iat and exp
	// are empty.
	Lost int64 `json:"lost,omitzero"`

	Act *clientauth.Actor `json:"act,omitempty"`
}

// list is GET /mints.
func (f *mintsFlow) list(c echo.Context) error {
	if _, err := f.guard.operator(c); err != nil {
		return err
	}
	query, err := f.query(c)
	if err != nil {
		return err
	}
	limit := query.Limit
	query.Limit++ // to know whether there is more
	entries, head, err := f.audit.Latest(c.Request().Context(), query)
	if err != nil {
		return err
	}
	answer := mintsReply{Head: head}
	if len(entries) > limit {
		entries = entries[:limit]
		answer.Next = mintCursor(entries[limit-1].Seq)
	}
	answer.Items = make([]mintItem, len(entries))
	for i, entry := range entries {
		answer.Items[i] = mintItem{Mint: entry.Mint, SID: entry.Mint.SessionID, Lost: entry.Lost, Act: entry.Mint.Act.Chain()}
		if answer.Items[i].Revoked, err = f.revoked(c.Request().Context(), entry); err != nil {
			return err
		}
	}
	return reply(c, answer)
}

func (f *mintsFlow) query(c echo.Context) (audit.Query, error) {
	values, err := queryParameters(c, "sub", "sid", "jti", "before", "limit")
	if err != nil {
		return audit.Query{}, err
	}
	var q audit.Query
	if q.Limit, err = pageLimit(values); err != nil {
		return q, err
	}
	if q.Before, err = mintBefore(values); err != nil {
		return q, err
	}
	for name, value := range values {
		if value[0] != "" && strings.TrimSpace(value[0]) == "" {
			return q, invalidParameter(name + " is blank")
		}
		if len(value[0]) > maxRevocationID {
			return q, invalidParameter(name + " is longer than " + strconv.Itoa(maxRevocationID) + " bytes")
		}
	}
	q.ID, q.SessionID = strings.TrimSpace(values.Get("jti")), strings.TrimSpace(values.Get("sid"))
	q.Subjects = subject.IDs(f.adminEmail, values.Get("sub"))
	return q, nil
}

// mintCursorPrefix marks a cursor, so that a number that a client made up is not taken for one.
const mintCursorPrefix = "m"

func mintCursor(seq int64) string { return mintCursorPrefix + strconv.FormatInt(seq, 36) }

func mintBefore(values url.Values) (int64, error) {
	text := values.Get("before")
	if text == "" {
		return 0, nil
	}
	digits, ours := strings.CutPrefix(text, mintCursorPrefix)
	seq, err := strconv.ParseInt(digits, 36, 64)
	if !ours || err != nil || seq < 1 || mintCursor(seq) != text {
		return 0, invalidParameter("before must be the next of a page")
	}
	return seq, nil
}

func (f *mintsFlow) revoked(ctx context.Context, entry audit.Entry) (bool, error) {
	if entry.Lost > 0 {
		return false, nil
	}
	return f.denylist.Denied(ctx, entry.Mint.Ref())
}
