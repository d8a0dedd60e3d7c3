package serverauth

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/internal/subject"
	"github.com/picoauth/picoauth/serverauth/links"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// sessionsFlow lists live sessions and ends one: for operators all sessions, for other users their own.
type sessionsFlow struct {
	*parts
	links      *links.Book
	adminEmail string
}

type sessionsReply struct {
	Items []sessionItem `json:"items"` // newest first
	// Next is the value of `before` for the next page; absent on the last page.
	Next string `json:"next,omitzero"`
}

type sessionItem struct {
	SID       string `json:"sid"`
	Subject   string `json:"sub"`
	Kind      string `json:"kind"`
	Algorithm string `json:"algorithm"`
	ClientID  string `json:"client_id"`
	RequestID string `json:"request_id"`
	StartedAt string `json:"started_at"`
	RotatedAt string `json:"rotated_at"`
	ExpiresAt string `json:"expires_at"`
	Client    string `json:"client"`
	UserAgent string `json:"user_agent"`
}

// list is GET /sessions.
func (f *sessionsFlow) list(c echo.Context) error {
	caller, operator, err := f.guard.holder(c)
	if err != nil {
		return err
	}
	query, err := f.query(c)
	if err != nil {
		return err
	}
	account := subject.Account(c.QueryParam("sub")) // of a contract wallet
	if !operator {
		if query.Subject != "" && query.Subject != caller.Subject && account != caller.Subject {
			return f.guard.refuseRole(c, caller)
		}
		query.Subject = caller.Subject
	}
	names, err := f.namesOf(c.Request().Context(), query.Subject)
	if err != nil {
		return err
	}
	if operator && account != "" {
		names = append(names, account)
	}
	limit := query.Limit
	query.Limit++ // one more tells whether there is a next page
	var rows []store.Session
	for _, query.Subject = range names {
		if rows, err = f.sessions.List(c.Request().Context(), query); err != nil {
			return err
		}
		if len(rows) > 0 {
			break
		}
	}
	page := sessionsReply{Items: []sessionItem{}}
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = pageAfter(rows[limit-1])
	}
	for _, row := range rows {
		page.Items = append(page.Items, itemOf(row))
	}
	return reply(c, page)
}

// namesOf returns the names by which to find the sessions of a subject. The first name that finds any counts. A linked wallet has
// the subject of its group. For any other address that contains a key, the first name is its wallet id (RFC 7638). The second is
// the subject itself, because the thumbprint of an ML-DSA key can look like a Solana address.
func (f *sessionsFlow) namesOf(ctx context.Context, sub string) ([]string, error) {
	if sub == "" {
		return []string{""}, nil
	}
	of, joined, err := f.links.SubjectOf(ctx, sub)
	if id := wallet.ReadAddress(of).WalletID(); !joined && id != "" {
		return []string{id, of}, err
	}
	return []string{of}, err
}

func itemOf(row store.Session) sessionItem {
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
	return sessionItem{
		SID: row.ID, Subject: row.Subject.ID, Kind: row.Subject.Kind, Algorithm: row.Subject.Algorithm,
		ClientID: row.ClientID, RequestID: row.RequestID, StartedAt: at(row.StartedAt), RotatedAt: at(row.RotatedAt),
		ExpiresAt: at(min(row.ExpiresAt, row.EndsAt)), Client: row.Client, UserAgent: row.UserAgent,
	}
}

func (f *sessionsFlow) query(c echo.Context) (q store.SessionQuery, err error) {
	values, err := queryParameters(c, "sub", "before", "limit")
	if err != nil {
		return q, err
	}
	if q.Limit, err = pageLimit(values); err != nil {
		return q, err
	}
	if sub := values.Get("sub"); sub != "" {
		if len(sub) > maxRevocationID {
			return q, invalidParameter("sub is at most 8192 bytes")
		}
		ids := subject.IDs(f.adminEmail, sub)
		if len(ids) == 0 {
			return q, invalidParameter("sub is blank")
		}
		q.Subject = ids[0]
	}
	if before := values.Get("before"); before != "" {
		var ok bool
		if q.BeforeStart, q.BeforeID, ok = readPage(before); !ok {
			return q, invalidParameter("before is not the next of a page")
		}
	}
	return q, nil
}

// pageAfter returns the cursor of the page after a session. Clients must not interpret it.
func pageAfter(last store.Session) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(last.StartedAt, 10) + " " + last.ID))
}

// maxPageLength is the maximum length of `before` in bytes: it contains a number and a `sid`.
const maxPageLength = 256

func readPage(text string) (start int64, sid string, ok bool) {
	if len(text) > maxPageLength {
		return 0, "", false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return 0, "", false
	}
	number, sid, _ := strings.Cut(string(raw), " ")
	start, err = strconv.ParseInt(number, 10, 64)
	return start, sid, err == nil && sid != ""
}

var errSessionNotFound = app.NewProblem(http.StatusNotFound, "session_not_found", "there is no such session")

// end is DELETE /sessions/{sid}. For another user's session the reply is the same as for one that does not exist.
func (f *sessionsFlow) end(c echo.Context) error {
	caller, operator, err := f.guard.holder(c)
	if err != nil {
		return err
	}
	if _, err := queryParameters(c); err != nil {
		return err
	}
	ctx := c.Request().Context()
	query := store.SessionQuery{ID: c.Param("sid"), Limit: 1}
	if !operator {
		query.Subject = caller.Subject
	}
	rows, err := f.sessions.List(ctx, query)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return errSessionNotFound
	}
	row := rows[0]
	if err := f.sessions.End(ctx, row.ID, revocation.Cause{By: caller.Subject, Reason: "session ended"}); err != nil {
		return err
	}
	events.Log(ctx, f.log, events.SessionEnded, "sid", row.ID, "subject", row.Subject.ID, "by", caller.Subject, "client", app.ClientIP(c))
	return c.NoContent(http.StatusNoContent)
}

// holder returns the caller, and whether it is an operator. Any other caller needs the token of a sign-in. A fleet token is
// refused, because the fleet chooses its subject, which could be that of a user. A token without a role is refused too, because
// it was issued to an OAuth client that the server's operator does not know.
func (g *guard) holder(c echo.Context) (caller *clientauth.SecurityContext, operator bool, err error) {
	caller, err = g.authenticate(c)
	if err != nil {
		return nil, false, err
	}
	if caller.HasRole(g.operatorRoles...) {
		return caller, true, nil
	}
	if _, isAgent := caller.Claims["agent_id"]; isAgent || caller.Role == "" {
		return nil, false, g.refuseRole(c, caller)
	}
	return caller, false, nil
}
