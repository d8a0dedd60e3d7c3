package redisstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/picoauth/picoauth/serverauth/store"
)

// listPage is the number of rows that are read in one step.
const listPage = 500

// List implements serverauth.SessionStore. It reads all sessions of a subject, or the list in its order.
func (s *sessions) List(ctx context.Context, q store.SessionQuery) ([]store.Session, error) {
	switch {
	case q.ID != "":
		return s.listed(ctx, q, []string{q.ID})
	case q.Subject != "":
		value, err := s.db.do(ctx, "ZRANGE", sessionIndex+q.Subject, 0, -1)
		if err != nil {
			return nil, err
		}
		return s.newest(ctx, q, texts(value))
	default:
		return s.inOrder(ctx, q)
	}
}

// newest returns the newest of the given sessions.
func (s *sessions) newest(ctx context.Context, q store.SessionQuery, sids []string) (page []store.Session, err error) {
	for some := range slices.Chunk(sids, listPage) {
		rows, err := s.listed(ctx, q, some)
		if err != nil {
			return nil, err
		}
		page = append(page, rows...)
		slices.SortFunc(page, store.CompareSessions)
		page = page[:min(len(page), q.Limit)]
	}
	return page, nil
}

func (s *sessions) inOrder(ctx context.Context, q store.SessionQuery) (page []store.Session, err error) {
	below := "+"
	if q.BeforeID != "" {
		below = "(" + listMember(q.BeforeStart, q.BeforeID)
	}
	for len(page) < q.Limit {
		value, err := s.db.do(ctx, "ZREVRANGEBYLEX", sessionList, below, "-", "LIMIT", 0, listPage)
		if err != nil {
			return nil, err
		}
		members := texts(value)
		sids := make([]string, 0, len(members))
		for _, member := range members {
			if len(member) > listDigits {
				sids = append(sids, member[listDigits:])
			}
		}
		rows, err := s.listed(ctx, q, sids)
		if err != nil {
			return nil, err
		}
		if page = append(page, rows...); len(members) < listPage {
			break
		}
		below = "(" + members[len(members)-1]
	}
	return page[:min(len(page), q.Limit)], nil
}

// listed reads those of the given sessions that exist and match the query. A damaged row always matches.
func (s *sessions) listed(ctx context.Context, q store.SessionQuery, sids []string) (rows []store.Session, err error) {
	if len(sids) == 0 {
		return nil, nil
	}
	command := make([]any, 0, 1+len(sids))
	command = append(command, "MGET")
	for _, sid := range sids {
		command = append(command, sessionRow+sid)
	}
	value, err := s.db.do(ctx, command...)
	if err != nil {
		return nil, err
	}
	found, _ := value.([]any)
	for i, sid := range sids[:min(len(sids), len(found))] {
		text, there := found[i].(string)
		if !there {
			continue
		}
		if row := sessionOf(sid, text); row == (store.Session{ID: sid}) || q.Lists(row) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// listDigits is the length of the time at the beginning of a member of the list.
const listDigits = 16

// listMember is the member of the list for a session. The list is sorted by bytes.
func listMember(startedAt int64, sid string) string {
	return fmt.Sprintf("%0*d%s", listDigits, max(startedAt, 0), sid)
}
