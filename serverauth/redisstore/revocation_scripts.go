package redisstore

import "github.com/redis/go-redis/v9"

// The denylist has four keys. The state is a hash with seq and pruned. The log is a sorted set of rows by sequence number; each
// row begins with its number. known is a hash of numbers by name (revocationName), for items that are added only once. end is a
// sorted set by expiry, for items that expire; a member is the number, a space and the name.
const (
	revocationState = revocationTag + "state"
	revocationLog   = revocationTag + "log"
)

var revocationKeys = []string{revocationState, revocationLog, revocationTag + "known", revocationTag + "end"}

// numbered returns a script that can read the state. Sequence numbers are microseconds of Redis's clock, or follow the last number
// if that is higher. Numbers grow more slowly than the clock, so a database that has lost its state continues above its old
// numbers.
func numbered(script string) *redis.Script {
	return redis.NewScript(`
local STATE, LOG, KNOWN, END = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local function text(seq) return string.format('%.0f', seq) end

local function micros()
	local t = redis.call('TIME')
	return t[1] * 1000000 + t[2]
end

local function state()
	local s = redis.call('HMGET', STATE, 'seq', 'pruned')
	if s[1] then return tonumber(s[1]), tonumber(s[2]) end
	local first = micros()
	redis.call('HSET', STATE, 'seq', text(first), 'pruned', text(first))
	return first, first
end
` + script)
}

// beginRevocations creates the state if there is none.
var beginRevocations = numbered(`state() return 1`)

// addRevocations: ARGV are the channel, the step (store.RevocationStep), and for each item its name or an empty text, its expiry,
// and its row without the number. It returns for each item the row that was already there, or an empty text.
var addRevocations = numbered(`
local seq = state()
local last = math.max(seq, micros()) + tonumber(ARGV[2]) - 1
local first = {}
local added = false
for i = 3, #ARGV, 3 do
	local name, expires, row = ARGV[i], ARGV[i + 1], ARGV[i + 2]
	local known = name ~= '' and redis.call('HGET', KNOWN, name)
	if known then
		first[#first + 1] = redis.call('ZRANGEBYSCORE', LOG, known, known)[1] or ''
	else
		last = last + 1
		local number = text(last)
		redis.call('ZADD', LOG, number, number .. ' ' .. row)
		if name ~= '' then redis.call('HSET', KNOWN, name, number) end
		if tonumber(expires) > 0 then redis.call('ZADD', END, expires, number .. ' ' .. name) end
		first[#first + 1] = ''
		added = true
	end
end
if added then
	redis.call('HSET', STATE, 'seq', text(last))
	redis.call('PUBLISH', ARGV[1], text(last))
end
return first`)

// pruneRevocations: ARGV are the time before which an item must expire to be removed, and the maximum number of items.
var pruneRevocations = numbered(`
local ends = redis.call('ZRANGEBYSCORE', END, '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
if #ends == 0 then return 0 end
local _, pruned = state()
for _, entry in ipairs(ends) do
	local number, name = string.match(entry, '^(%d+) (.*)$')
	pruned = math.max(pruned, tonumber(number))
	redis.call('ZREMRANGEBYSCORE', LOG, number, number)
	if name ~= '' then redis.call('HDEL', KNOWN, name) end
end
redis.call('ZREM', END, unpack(ends))
redis.call('HSET', STATE, 'pruned', text(pruned))
return #ends`)
