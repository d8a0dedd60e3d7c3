package redisstore

import (
	"strconv"

	"github.com/redis/go-redis/v9"
)

// longestLived returns a script with the function longest: the latest expiry of all tokens, which is stored next to the rows. For
// rows of versions without it, it is the longest token lifetime from now on.
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

// longestMint: KEYS are the latest expiry and the rows. It returns the latest expiry.
var longestMint = longestLived(`return longest(KEYS[1], KEYS[2])`)

// appendMints: KEYS are the head, the rows, the latest expiry, and the indexes of the rows in their order. ARGV are the expected
// head, the new one, the latest expiry of the new rows, and for each row its number, the row, how long its indexes keep it (in
// milliseconds), and their number. It returns 1 if it added the rows, else 0, and the head.
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

// readMints returns the rows with the sequence numbers in ARGV.
var readMints = redis.NewScript(`
local rows = {}
for _, seq in ipairs(ARGV) do
	for _, row in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], seq, seq)) do rows[#rows + 1] = row end
end
return rows`)

// pruneMints: ARGV are for each checkpoint the number before the rows that it replaces, its own number, the beginning of the last
// of these rows (without its kind), and the checkpoint's row. It returns the number of removed mints and gaps.
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
