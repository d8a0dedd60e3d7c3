package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/picoauth/picoauth/serverauth/audit"
)

const (
	mintHead = mintTag + "head"
	mintRows = mintTag + "rows"
	// mintLongest holds the latest expiry of all tokens, in Unix seconds. It never decreases.
	mintLongest = mintTag + "longest"
	// Prefixes of the indexes of mints; the value follows.
	mintByID      = mintTag + "jti:"
	mintBySession = mintTag + "sid:"
	mintBySubject = mintTag + "sub:" // a subject or a wallet id
	// mintMargin is how long an index keeps a mint beyond its token's lifetime. It is far longer than a mint waits to be stored.
	mintMargin = time.Hour
	// maxMintSeconds limits the lifetime that an index uses: a hundred years.
	maxMintSeconds = 100 * 366 * 24 * 3600
	// oldestMintSeconds is the longest token lifetime that can be configured: a year.
	oldestMintSeconds = 366 * 24 * 3600
	// mintPage is the number of rows that are read in one step.
	mintPage = 1000
)

// mints is an audit.Store: a sorted set of rows by sequence number, and indexes of these numbers, which forget a number after its
// token has expired.
type mints struct{ db database }

// Head implements audit.Store.
func (s *mints) Head(ctx context.Context) (audit.Head, error) {
	value, err := s.db.do(ctx, "GET", mintHead)
	if err != nil {
		return audit.Head{}, err
	}
	text, _ := value.(string)
	return readHead(text)
}

// Append implements audit.Store in one round trip.
func (s *mints) Append(ctx context.Context, after audit.Head, rows []audit.Entry) (audit.Head, bool, error) {
	keys := []string{mintHead, mintRows, mintLongest}
	arguments := make([]any, 3, 3+4*len(rows))
	longest := int64(0)
	for _, row := range rows {
		longest = max(longest, row.Mint.ExpiresAt)
		indexes := mintIndexes(row)
		keys = append(keys, indexes...)
		arguments = append(arguments, row.Seq, appendAudit(nil, row), mintLife(row.Mint).Milliseconds(), len(indexes))
	}
	arguments[0], arguments[1], arguments[2] = headText(after), headText(rows[len(rows)-1].Head()), longest
	value, err := s.db.run(ctx, appendMints, keys, arguments...)
	if err != nil {
		return audit.Head{}, false, err
	}
	result, _ := value.([]any)
	if len(result) != 2 {
		return audit.Head{}, false, fmt.Errorf("%w: %s", errDamaged, mintTag)
	}
	text, _ := result[1].(string)
	head, err := readHead(text)
	return head, err == nil && result[0] == int64(1), err
}

// mintLife is how long the indexes keep a mint.
func mintLife(m audit.Mint) time.Duration {
	life := min(m.ExpiresAt-max(m.IssuedAt, 0), maxMintSeconds)
	return time.Duration(max(life, 0))*time.Second + mintMargin
}

// mintIndexes returns the keys of the indexes of a row.
func mintIndexes(row audit.Entry) (keys []string) {
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

// Latest implements audit.Store. It reads from the newest row on until it has found enough, 1000 rows in a round trip.
func (s *mints) Latest(ctx context.Context, q audit.Query) (latest []audit.Entry, err error) {
	below := "+inf"
	if q.Before > 0 {
		below = "(" + strconv.FormatInt(q.Before, 10)
	}
	for len(latest) < q.Limit {
		rows, err := s.read(ctx, "ZREVRANGEBYSCORE", mintRows, below, "-inf", "LIMIT", 0, mintPage)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if len(latest) < q.Limit && q.Matches(row) {
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

// Longest implements audit.Store.
func (s *mints) Longest(ctx context.Context) (int64, error) {
	value, err := s.db.run(ctx, longestMint, []string{mintLongest, mintRows})
	if err != nil {
		return 0, err
	}
	text, _ := value.(string)
	longest, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", errDamaged, mintLongest)
	}
	return longest, nil
}

// Walk implements audit.Store.
func (s *mints) Walk(ctx context.Context, after int64, limit int) (walked []audit.Entry, err error) {
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

func (s *mints) read(ctx context.Context, command ...any) ([]audit.Entry, error) {
	value, err := s.db.do(ctx, command...)
	if err != nil {
		return nil, err
	}
	return readAudits(texts(value))
}

// Live implements audit.Store: one round trip for each argument that is not empty, and one for every 1000 mints.
func (s *mints) Live(ctx context.Context, jti, sid, sub string, now int64) (live []audit.Mint, err error) {
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

// find returns the sequence numbers in the indexes of the values, ascending and each once.
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

// Prune implements audit.Store in one round trip.
func (s *mints) Prune(ctx context.Context, checkpoints []audit.Entry) (removed int, err error) {
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
