package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/picoauth/picoauth/serverauth"
)

const (
	mintHead = mintTag + "head"
	mintRows = mintTag + "rows"
	// What finds a mint; the value follows.
	mintByID      = mintTag + "jti:"
	mintBySession = mintTag + "sid:"
	mintBySubject = mintTag + "sub:" // a subject or a wallet id
	// mintMargin is how long a mint is found beyond its token's life, which is far longer than it waits to be stored.
	mintMargin = time.Hour
	// maxMintSeconds bounds that life, a hundred years.
	maxMintSeconds = 100 * 366 * 24 * 3600
	// mintPage is how many rows are read in one step.
	mintPage = 1000
)

// mints is a serverauth.MintStore: rows in a sorted set by their numbers, and for what a mint is found by an index
// of its number, which is forgotten when its token has expired.
type mints struct{ db database }

// Head implements serverauth.MintStore.
func (s *mints) Head(ctx context.Context) (serverauth.AuditHead, error) {
	value, err := s.db.do(ctx, "GET", mintHead)
	if err != nil {
		return serverauth.AuditHead{}, err
	}
	text, _ := value.(string)
	return readHead(text)
}

// Append implements serverauth.MintStore in one round trip.
func (s *mints) Append(ctx context.Context, after serverauth.AuditHead, rows []serverauth.AuditEntry) (serverauth.AuditHead, bool, error) {
	keys := []string{mintHead, mintRows}
	arguments := make([]any, 0, 2+4*len(rows))
	arguments = append(arguments, headText(after), headText(rows[len(rows)-1].Head()))
	for _, row := range rows {
		indexes := mintIndexes(row)
		keys = append(keys, indexes...)
		arguments = append(arguments, row.Seq, appendAudit(nil, row), mintLife(row.Mint).Milliseconds(), len(indexes))
	}
	value, err := s.db.run(ctx, appendMints, keys, arguments...)
	if err != nil {
		return serverauth.AuditHead{}, false, err
	}
	result, _ := value.([]any)
	if len(result) != 2 {
		return serverauth.AuditHead{}, false, fmt.Errorf("%w: %s", errDamaged, mintTag)
	}
	text, _ := result[1].(string)
	head, err := readHead(text)
	return head, err == nil && result[0] == int64(1), err
}

// mintLife is how long a mint must be found.
func mintLife(m serverauth.Mint) time.Duration {
	life := min(m.ExpiresAt-max(m.IssuedAt, 0), maxMintSeconds)
	return time.Duration(max(life, 0))*time.Second + mintMargin
}

// mintIndexes returns the keys of what a row is found by.
func mintIndexes(row serverauth.AuditEntry) (keys []string) {
	if row.Lost > 0 || row.Pruned > 0 {
		return nil
	}
	m := row.Mint
	if m.ID != "" {
		keys = append(keys, mintByID+m.ID)
	}
	if m.SessionID != "" {
		keys = append(keys, mintBySession+m.SessionID)
	}
	if m.Subject != "" {
		keys = append(keys, mintBySubject+m.Subject)
	}
	if m.WalletID != "" && m.WalletID != m.Subject {
		keys = append(keys, mintBySubject+m.WalletID)
	}
	return keys
}

// Latest implements serverauth.MintStore.
func (s *mints) Latest(ctx context.Context, limit int) (latest []serverauth.AuditEntry, err error) {
	for below := "+inf"; len(latest) < limit; {
		rows, err := s.read(ctx, "ZREVRANGEBYSCORE", mintRows, below, "-inf", "LIMIT", 0, mintPage)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if row.Pruned == 0 && len(latest) < limit {
				latest = append(latest, row)
			}
		}
		if len(rows) < mintPage {
			break
		}
		below = "(" + strconv.FormatInt(rows[len(rows)-1].Seq, 10)
	}
	return latest, nil
}

// Walk implements serverauth.MintStore.
func (s *mints) Walk(ctx context.Context, after int64, limit int) (walked []serverauth.AuditEntry, err error) {
	for len(walked) < limit {
		page := min(limit-len(walked), mintPage)
		rows, err := s.read(ctx, "ZRANGEBYSCORE", mintRows, "("+strconv.FormatInt(after, 10), "+inf", "LIMIT", 0, page)
		if err != nil {
			return nil, err
		}
		if walked = append(walked, rows...); len(rows) < page {
			break
		}
		after = rows[len(rows)-1].Seq
	}
	return walked, nil
}

func (s *mints) read(ctx context.Context, command ...any) ([]serverauth.AuditEntry, error) {
	value, err := s.db.do(ctx, command...)
	if err != nil {
		return nil, err
	}
	return readAudits(texts(value))
}

// Live implements serverauth.MintStore: a round trip for each argument that is not empty, and one for every 1000 mints.
func (s *mints) Live(ctx context.Context, jti, sid, sub string, now int64) (live []serverauth.Mint, err error) {
	seqs, err := s.find(ctx, jti, sid, sub)
	if err != nil {
		return nil, err
	}
	for page := range slices.Chunk(seqs, mintPage) {
		value, err := s.db.run(ctx, readMints, []string{mintRows}, page...)
		if err != nil {
			return nil, err
		}
		rows, err := readAudits(texts(value))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			m := row.Mint
			hit := jti != "" && m.ID == jti || sid != "" && m.SessionID == sid ||
				sub != "" && (m.Subject == sub || m.WalletID == sub)
			if hit && m.ExpiresAt > now {
				live = append(live, m)
			}
		}
	}
	return live, nil
}

// find returns the numbers of the rows that an index has, ascending.
func (s *mints) find(ctx context.Context, jti, sid, sub string) (seqs []any, err error) {
	var found []int64
	for _, index := range [...]struct{ prefix, value string }{{mintByID, jti}, {mintBySession, sid}, {mintBySubject, sub}} {
		if index.value == "" {
			continue
		}
		value, err := s.db.do(ctx, "ZRANGE", index.prefix+index.value, 0, -1)
		if err != nil {
			return nil, err
		}
		for _, text := range texts(value) {
			seq, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%w: %s", errDamaged, index.prefix)
			}
			found = append(found, seq)
		}
	}
	slices.Sort(found)
	for _, seq := range slices.Compact(found) {
		seqs = append(seqs, seq)
	}
	return seqs, nil
}

// Prune implements serverauth.MintStore in one round trip.
func (s *mints) Prune(ctx context.Context, checkpoints []serverauth.AuditEntry) (removed int, err error) {
	if len(checkpoints) == 0 {
		return 0, nil
	}
	arguments := make([]any, 0, 4*len(checkpoints))
	for _, c := range checkpoints {
		arguments = append(arguments, c.Seq-c.Pruned, c.Seq, auditBeginning(c), appendAudit(nil, c))
	}
	value, err := s.db.run(ctx, pruneMints, []string{mintRows}, arguments...)
	if err != nil {
		return 0, err
	}
	n, _ := value.(int64)
	return int(n), nil
}
