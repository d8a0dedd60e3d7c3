package redisstore

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	linkRows  = linkTag + "rows" // a hash of rows by wallet
	linkIndex = linkTag + "of:"  // followed by a subject: its wallets
)

// links is a store.LinkStore. A row is its version in hex, a space, the length of the subject in decimal, a space, the subject,
// and the fields that only Go reads (appendLink).
type links struct{ db database }

// linkParts has the functions that read the version and the subject of a row in a script. For a damaged row both are empty.
const linkParts = `
local function version(row)
	local v = row and string.match(row, '^(%x+) ') or ''
	return #v == 32 and v or ''
end

local function subject(row)
	local length, at = string.match(row, '^%x+ (%d+) ()')
	if not length then return '' end
	return string.sub(row, at, at + length - 1)
end
`

// findLink: KEYS are the rows and the index of the wallet. It returns the row; without one it returns 1 if there are links whose
// subject is the wallet, else 0.
var findLink = redis.NewScript(`
local row = redis.call('HGET', KEYS[1], ARGV[1])
if row then return row end
if redis.call('ZRANGE', KEYS[2], 0, 0)[1] then return 1 end
return 0`)

// Find implements store.LinkStore in one round trip.
func (s *links) Find(ctx context.Context, wallet string) (row store.Link, found, named bool, err error) {
	value, err := s.db.run(ctx, findLink, []string{linkRows, linkIndex + wallet}, wallet)
	if text, ok := value.(string); ok {
		return readLink(text), true, false, err
	}
	return store.Link{}, false, value == int64(1), err
}

// listLinks: KEYS are the rows and the index of the subject.
var listLinks = redis.NewScript(`
local rows = {}
for _, wallet in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
	rows[#rows + 1] = redis.call('HGET', KEYS[1], wallet) or nil
end
return rows`)

// List implements store.LinkStore in one round trip.
func (s *links) List(ctx context.Context, subject string) (rows []store.Link, err error) {
	value, err := s.db.run(ctx, listLinks, []string{linkRows, linkIndex + subject})
	for _, text := range texts(value) {
		rows = append(rows, readLink(text))
	}
	slices.SortFunc(rows, store.CompareLinks)
	return rows, err
}

// changeLinks: ARGV are the prefix of the indexes and, for each change, the wallet, the version to replace, the row and its
// subject. It returns 1 if it wrote all rows, and 0 if it wrote none.
var changeLinks = redis.NewScript(linkParts + `
for i = 2, #ARGV, 4 do
	if version(redis.call('HGET', KEYS[1], ARGV[i])) ~= ARGV[i + 1] then return 0 end
end
for i = 2, #ARGV, 4 do
	local before = redis.call('HGET', KEYS[1], ARGV[i])
	redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
	redis.call('ZADD', ARGV[1] .. ARGV[i + 3], 0, ARGV[i])
	if before and subject(before) ~= ARGV[i + 3] then redis.call('ZREM', ARGV[1] .. subject(before), ARGV[i]) end
end
return 1`)

// Change implements store.LinkStore in one round trip.
func (s *links) Change(ctx context.Context, changes []store.LinkChange) (bool, error) {
	arguments := []any{linkIndex}
	for _, change := range changes {
		was := ""
		if change.Was != [16]byte{} {
			was = hex.EncodeToString(change.Was[:])
		}
		arguments = append(arguments, change.Row.Wallet.ID, was, appendLink(nil, change.Row), change.Row.Subject)
	}
	value, err := s.db.run(ctx, changeLinks, []string{linkRows}, arguments...)
	return value == int64(1), err
}

// anyLink returns the number of rows.
var anyLink = redis.NewScript(`return redis.call('HLEN', KEYS[1])`)

// Any implements store.LinkStore.
func (s *links) Any(ctx context.Context) (bool, error) {
	value, err := s.db.run(ctx, anyLink, []string{linkRows})
	n, _ := value.(int64)
	return n > 0, err
}

// appendLink appends a row as readLink and the scripts read it.
func appendLink(b []byte, row store.Link) []byte {
	b = hex.AppendEncode(b, row.Version[:])
	b = fmt.Appendf(b, " %d %s", len(row.Subject), row.Subject)
	b = appendTexts(b, linkTexts(&row))
	b = binary.AppendVarint(binary.AppendVarint(b, row.LinkedAt), row.LeftAt)
	return append(b, row.MAC[:]...)
}

// readLink decodes a row. For a damaged row it returns only the version, so that the row can be replaced; its empty MAC is never
// valid.
func readLink(text string) (row store.Link) {
	r := rowReader{rest: text}
	version, err := hex.DecodeString(r.word())
	if err != nil || len(version) != len(row.Version) {
		return store.Link{}
	}
	damaged := store.Link{Version: [len(row.Version)]byte(version)}
	row.Version, row.Wallet.Kind = damaged.Version, store.KindWallet
	row.Subject = r.fixed(r.decimal())
	r.texts(linkTexts(&row))
	row.LinkedAt, row.LeftAt = r.number(), r.number()
	copy(row.MAC[:], r.fixed(int64(len(row.MAC))))
	if r.end() != nil {
		return damaged
	}
	return row
}

func linkTexts(row *store.Link) []*string {
	w := &row.Wallet
	return []*string{&w.ID, &w.Algorithm, &w.WalletID, &w.Account, &w.Address, &w.WalletKind}
}
