package redisstore

import (
	"strconv"

	"github.com/redis/go-redis/v9"
)

// longestLived returns a script that knows until when the tokens live that there are: it is kept beside the rows, and
// where rows are older than that, as long as a token can live.
func longestLived(script string) *redis.Script {
	return indexed(`
local function longest(key, rows)
	local known = redis.call('GET', key)
	if known then return known end
	if redis.call('EXISTS', rows) == 0 then return '0' end
	return string.format('%.0f', math.floor(now() / 1000) + ` + strconv.Itoa(oldestMintSeconds) + `)
end
` + script)
}

// longestMint: KEYS are where it is kept, and the rows. It returns when the last token expires.
var longestMint = longestLived(`return longest(KEYS[1], KEYS[2])`)

// appendMints: KEYS are the head, the rows, when the last token expires, and the indexes of the rows in their order. ARGV are
// the head that there must be, the one after, when the last of these tokens expires, and for each row its number, itself, how
// long its indexes have it, and how many these are. It returns whether the rows were added, and the head.
var appendMints = longestLived(`
local head = redis.call('GET', KEYS[1]) or ''
if head ~= ARGV[1] then return {0, head} end
local now = now()
local last = longest(KEYS[3], KEYS[2])
if tonumber(ARGV[3]) > tonumber(last) then last = ARGV[3] end
redis.call('SET', KEYS[3], last)
local index = 3
for i = 4, #ARGV, 4 do
	local seq, row, ttl = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
	redis.call('ZADD', KEYS[2], seq, row)
	for _ = 1, ARGV[i + 3] do
		index = index + 1
		remember(KEYS[index], seq, now, ttl)
	end
end
redis.call('SET', KEYS[1], ARGV[2])
return {1, ARGV[2]}`)

// readMints returns the rows that have the numbers ARGV.
var readMints = redis.NewScript(`
local rows = {}
for _, seq in ipairs(ARGV) do
	for _, row in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], seq, seq)) do rows[#rows + 1] = row end
end
return rows`)

// pruneMints: ARGV are for each checkpoint the number before the rows that it stands for, its own number, what the last of these
// rows begins with after its kind, and the checkpoint's row. It returns how many mints and gaps are gone.
var pruneMints = redis.NewScript(`
local function find(seq) return redis.call('ZRANGEBYSCORE', KEYS[1], seq, seq)[1] end
local removed = 0
for i = 1, #ARGV, 4 do
	local before, seq, beginning, checkpoint = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
	local last = find(seq)
	if last and string.sub(last, 2, 1 + #beginning) == beginning and (before == '0' or find(before)) then
		repeat
			local rows = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. before, seq, 'LIMIT', 0, 1000)
			for _, row in ipairs(rows) do
				if string.sub(row, 1, 1) ~= 'c' then removed = removed + 1 end
			end
			if #rows > 0 then redis.call('ZREM', KEYS[1], unpack(rows)) end
		until #rows == 0
		redis.call('ZADD', KEYS[1], seq, checkpoint)
	end
end
return removed`)
