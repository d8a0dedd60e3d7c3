package redisstore

import "github.com/redis/go-redis/v9"

// owned returns a script that can also read a session's row. The row begins with counter, times and the lengths of the
// subject and wallet id, in decimal; then come those two, and what only Go reads (appendSession).
func owned(script string) *redis.Script {
	return indexed(`
local function parse(row)
	local counter, rotated, expires, ends, subject, wallet, at =
		string.match(row, '^(%d+) (%-?%d+) (%-?%d+) (%-?%d+) (%d+) (%d+) ()')
	return {
		counter = counter, rotated = tonumber(rotated), expires = tonumber(expires), ends = ends,
		subject = string.sub(row, at, at + subject - 1),
		wallet = string.sub(row, at + subject, at + subject + wallet - 1),
		rest = string.sub(row, at),
		lengths = subject .. ' ' .. wallet,
	}
end

local function owners(session)
	local all = {}
	if session.subject ~= '' then all[1] = session.subject end
	if session.wallet ~= '' and session.wallet ~= session.subject then all[#all + 1] = session.wallet end
	return all
end

local function forget(session, prefix, sid)
	for _, id in ipairs(owners(session)) do redis.call('ZREM', prefix .. id, sid) end
end
` + script)
}

// createSession: KEYS are the row, then the marks of its owners, then their indexes. It returns the cut-off that
// refuses the session, or nothing.
var createSession = indexed(`
local sid, row, started, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local owners = (#KEYS - 1) / 2
local cut = nil
for i = 2, 1 + owners do
	local at = redis.call('GET', KEYS[i])
	if at then cut = math.max(cut or tonumber(at), tonumber(at)) end
end
if cut and started <= cut then return cut end
redis.call('SET', KEYS[1], row, 'PX', ttl)
local now = now()
for i = 2 + owners, #KEYS do remember(KEYS[i], sid, now, ttl) end
return false`)

// rotateSession is serverauth's Rotation.Rotate. It returns the outcome, and the row unless the session is absent.
// Counters are compared as text, so that none is too large for Lua's numbers.
var rotateSession = owned(`
local sid, prefix, presented, following = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local asked, expires, grace, keep = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local row = redis.call('GET', KEYS[1])
if not row then return {0} end
local s = parse(row)
if asked >= s.expires or asked >= tonumber(s.ends) then return {0} end
if s.counter == presented then
	if tonumber(s.ends) < tonumber(expires) then expires = s.ends end
	row = table.concat({following, ARGV[5], expires, s.ends, s.lengths, s.rest}, ' ')
	local ttl = tonumber(expires) - asked + keep
	redis.call('SET', KEYS[1], row, 'PX', ttl)
	local now = now()
	for _, id in ipairs(owners(s)) do remember(prefix .. id, sid, now, ttl) end
	return {1, row}
end
if s.counter == following and asked - s.rotated <= grace then return {2, row} end
redis.call('DEL', KEYS[1])
forget(s, prefix, sid)
return {3, row}`)

// endSession returns the row, or nothing.
var endSession = owned(`
local row = redis.call('GET', KEYS[1])
if not row then return false end
redis.call('DEL', KEYS[1])
forget(parse(row), ARGV[2], ARGV[1])
return row`)

// endSubject: KEYS are the marks of the ids, then their indexes. It sets the marks, ends up to a number of sessions and
// returns their rows; only if it was that many, more may be left.
var endSubject = owned(`
local at, ttl, rows, prefix, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local ids = #KEYS / 2
for i = 1, ids do
	local cut = redis.call('GET', KEYS[i])
	if not cut or tonumber(cut) < tonumber(at) then redis.call('SET', KEYS[i], at, 'PX', ttl) end
end
local ended = {}
for i = 1 + ids, 2 * ids do
	while #ended < limit do
		local sids = redis.call('ZRANGE', KEYS[i], 0, limit - #ended - 1)
		if #sids == 0 then break end
		for _, sid in ipairs(sids) do
			local row = redis.call('GET', rows .. sid)
			redis.call('ZREM', KEYS[i], sid)
			if row then
				redis.call('DEL', rows .. sid)
				forget(parse(row), prefix, sid)
				ended[#ended + 1] = row
			end
		end
	end
end
return ended`)
