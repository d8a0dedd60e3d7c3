package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	clientRow  = clientTag + "client:" // followed by the id
	clientList = clientTag + "all"     // all ids, in the order of their bytes
	usedRow    = clientTag + "used:"   // followed by the id
	// untilMargin is how long something is kept after it has expired, because clocks differ.
	untilMargin = 10 * time.Minute
)

// clients is a store.ClientStore: a row for each client, which Redis removes if the client expires, and a list of the ids.
type clients struct {
	db     database
	now    app.Clock
	pruned sweeper
}

// ttl returns how long something is kept, in milliseconds.
func ttl(now time.Time, until int64) int64 {
	return max(until-now.UnixMilli(), 0) + untilMargin.Milliseconds()
}

// appendClient encodes a row: Until in decimal, a space and the other fields.
func appendClient(c store.Client) []byte {
	b := appendText(fmt.Appendf(nil, "%d ", c.Until), string(c.Data))
	return append(appendText(fmt.Appendf(b, "%d ", c.CreatedAt), c.ID), c.MAC[:]...)
}

// readClient decodes a row. A row that is damaged, or of another client, gives only the ID.
func readClient(id, row string) store.Client {
	r := rowReader{rest: row}
	c := store.Client{Until: r.decimal(), Data: []byte(r.text()), CreatedAt: r.decimal(), ID: r.text()}
	copy(c.MAC[:], r.fixed(int64(len(c.MAC))))
	if r.end() != nil || c.ID != id {
		return store.Client{ID: id}
	}
	return c
}

// createClient: KEYS are the row and the list, ARGV the id, the row and its lifetime in milliseconds, 0 for no expiry.
var createClient = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 1`)

// Create implements store.ClientStore.
func (s *clients) Create(ctx context.Context, c store.Client) (bool, error) {
	life := int64(0)
	if c.Until != 0 {
		life = ttl(s.now(), c.Until)
	}
	value, err := s.db.run(ctx, createClient, []string{clientRow + c.ID, clientList}, c.ID, appendClient(c), life)
	return value == int64(1), full(err)
}

// Find implements store.ClientStore.
func (s *clients) Find(ctx context.Context, id string) (store.Client, bool, error) {
	value, err := s.db.do(ctx, "GET", clientRow+id)
	if err != nil || value == nil {
		return store.Client{}, false, err
	}
	text, _ := value.(string)
	return readClient(id, text), true, nil
}

var keepClient = redis.NewScript(`
local row = redis.call('GET', KEYS[1])
local known, rest = string.match(row or '', '^(%d+)( .*)$')
if known and known ~= '0' and tonumber(known) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1] .. rest, 'PX', ARGV[2]) end
return 1`)

// Keep implements store.ClientStore.
func (s *clients) Keep(ctx context.Context, id string, until int64) error {
	_, err := s.db.run(ctx, keepClient, []string{clientRow + id}, until, ttl(s.now(), until))
	return err
}

var deleteClient = redis.NewScript(`
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])`)

// Delete implements store.ClientStore.
func (s *clients) Delete(ctx context.Context, id string) (bool, error) {
	value, err := s.db.run(ctx, deleteClient, []string{clientRow + id, clientList}, id)
	return value == int64(1), err
}

// listClients returns ids and rows alternately, the last id that it checked, and how many it checked.
var listClients = redis.NewScript(`
local ids = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local found = {}
for _, id in ipairs(ids) do
	local row = redis.call('GET', ARGV[3] .. id)
	if row then
		found[#found + 1] = id
		found[#found + 1] = row
	end
end
return {found, ids[#ids] or '', #ids}`)

// List implements store.ClientStore. It skips ids whose row Redis has removed.
func (s *clients) List(ctx context.Context, after string, limit int) (all []store.Client, err error) {
	for len(all) < limit {
		asked := limit - len(all)
		value, err := s.db.run(ctx, listClients, []string{clientList}, lexAfter(after), asked, clientRow)
		if err != nil {
			return nil, err
		}
		result, _ := value.([]any)
		if len(result) != 3 {
			return all, nil
		}
		rows := texts(result[0])
		for i := 0; i+1 < len(rows); i += 2 {
			all = append(all, readClient(rows[i], rows[i+1]))
		}
		if seen, _ := result[2].(int64); seen < int64(asked) {
			return all, nil
		}
		after, _ = result[1].(string)
	}
	return all, nil
}

var pruneClients = redis.NewScript(`
local ids = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
	if redis.call('EXISTS', ARGV[3] .. id) == 0 then redis.call('ZREM', KEYS[1], id) end
end
if #ids < tonumber(ARGV[2]) then return '' end
return ids[#ids]`)

// Prune implements store.ClientStore. Redis removes expired rows itself. Prune removes the ids without a row from a part of the
// list, starting where the last call ended.
func (s *clients) Prune(ctx context.Context, _ int64, _ int) (int, error) {
	return 0, s.pruned.sweep(ctx, s.db, pruneClients, clientList, clientRow)
}

// used is a store.UsedStore. Redis removes expired entries itself.
type used struct {
	db  database
	now app.Clock
}

// Use implements store.UsedStore.
func (s *used) Use(ctx context.Context, id [32]byte, note []byte, until int64) (bool, error) {
	value, err := s.db.do(ctx, "SET", usedRow+string(id[:]), note, "NX", "PX", ttl(s.now(), until))
	return value != nil, full(err)
}

// Note implements store.UsedStore.
func (s *used) Note(ctx context.Context, id [32]byte) ([]byte, bool, error) {
	value, err := s.db.do(ctx, "GET", usedRow+string(id[:]))
	text, found := value.(string)
	return []byte(text), found && err == nil, err
}

// Prune implements store.UsedStore.
func (s *used) Prune(context.Context, int64, int) (int, error) { return 0, nil }
