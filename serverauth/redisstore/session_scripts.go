package redisstore

import "github.com/redis/go-redis/v9"

// owned returns a script that can also read a session's row. The row begins with, in decimal: the counter, the time of the
// rotation (followed by a comma and the time of the last check of a contract wallet), the expiry, the end, the start, and the
// lengths of the subject and of the wallet id. Then come these two ids, and the fields that only Go reads (appendSession). A row
// in another format is not parsed.
func owned(script string) *redis.Script {
	return indexed(`
local function parse(row)
	local counter, rotated, checked, expires, ends, started, subject, wallet, at =
		string.match(row, '^(%d+) (%-?%d+),?(%d*) (%-?%d+) (%-?%d+) (%-?%d+) (%d+) (%d+) ()')
	if not counter then return nil end
	return {
		counter = counter, rotated = tonumber(rotated), checked = checked, expires = tonumber(expires), ends = ends, started = started,
		subject = string.sub(row, at, at + subject - 1),
		wallet = string.sub(row, at + subject, at + subject + wallet - 1),
		rest = string.sub(row, at),
		unchanged = started .. ' ' .. subject .. ' ' .. wallet,
	}
end

local function owners(session)
	local all = {}
	if session.subject ~= '' then all[1] = session.subject end
	if session.wallet ~= '' and session.wallet ~= session.subject then all[#all + 1] = session.wallet end
	return all
end

local function forget(session, prefix, all, sid)
	if not session then return end
	for _, id in ipairs(owners(session)) do redis.call('ZREM', prefix .. id, sid) end
	redis.call('ZREM', all, string.format('%016.0f', math.max(tonumber(session.started), 0)) .. sid)
end

local function above(a, b) return #a > #b or #a == #b and a > b end
` + script)
}

// createSession: KEYS are the row, the list, the cut-offs (the last argument is their number), then the indexes of the owners. It
// returns the cut-off that refuses the session, or nothing.
var createSession = indexed(`
local sid, row, started, ttl, listed, marks = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local cut = nil
for i = 3, 2 + marks do
	local at = redis.call('GET', KEYS[i])
	if at then cut = math.max(cut or tonumber(at), tonumber(at)) end
end
if cut and started <= cut then return cut end
redis.call('SET', KEYS[1], row, 'PX', ttl)
redis.call('ZADD', KEYS[2], 0, listed)
local now = now()
for i = 3 + marks, #KEYS do remember(KEYS[i], sid, now, ttl) end
return false`)

// rotateSession is Rotation.Rotate of package store, with the grace by Redis's clock. It returns the outcome, and the row unless
// the session is absent. It compares counters as text, because they may be too large for Lua's numbers. It returns a damaged row
// unchanged.
var rotateSession = owned(`
local sid, prefix, presented, following = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local asked, expires, grace, keep, checked, bound = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], ARGV[10]
local row = redis.call('GET', KEYS[1])
if not row then return {0} end
local s = parse(row)
if not s then return {1, row} end
if asked >= s.expires or asked >= tonumber(s.ends) then return {0} end
local now = now()
if s.counter == presented or above(presented, s.counter) then
	if tonumber(s.ends) < tonumber(expires) then expires = s.ends end
	if checked == '0' then checked = s.checked end
	if checked ~= '' then checked = ',' .. checked end
	if bound ~= '' then s.rest = bound end
	row = table.concat({following, string.format('%.0f', now) .. checked, expires, s.ends, s.unchanged, s.rest}, ' ')
	local ttl = tonumber(expires) - asked + keep
	redis.call('SET', KEYS[1], row, 'PX', ttl)
	for _, id in ipairs(owners(s)) do remember(prefix .. id, sid, now, ttl) end
	return {s.counter == presented and 1 or 4, row}
end
if s.counter == following and now - s.rotated <= grace then return {2, row} end
redis.call('DEL', KEYS[1])
forget(s, prefix, KEYS[2], sid)
return {3, row}`)

// endSession removes a session and returns its row, or nothing.
var endSession = owned(`
local row = redis.call('GET', KEYS[1])
if not row then return false end
redis.call('DEL', KEYS[1])
forget(parse(row), ARGV[2], KEYS[2], ARGV[1])
return row`)

// endSubject: KEYS are the list, the cut-offs of the ids, then their indexes. It sets the cut-offs, ends up to limit sessions, and
// returns their ids and rows alternately. Only if it ended limit sessions, more may be left.
var endSubject = owned(`
local at, ttl, rows, prefix, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local ids = (#KEYS - 1) / 2
for i = 2, 1 + ids do
	local cut = redis.call('GET', KEYS[i])
	if not cut or tonumber(cut) < tonumber(at) then redis.call('SET', KEYS[i], at, 'PX', ttl) end
end
local ended = {}
for i = 2 + ids, #KEYS do
	while #ended < 2 * limit do
		local sids = redis.call('ZRANGE', KEYS[i], 0, limit - #ended / 2 - 1)
		if #sids == 0 then break end
		for _, sid in ipairs(sids) do
			local row = redis.call('GET', rows .. sid)
			redis.call('ZREM', KEYS[i], sid)
			if row then
				redis.call('DEL', rows .. sid)
				forget(parse(row), prefix, KEYS[1], sid)
				ended[#ended + 1] = sid
				ended[#ended + 1] = row
			end
		end
	end
end
return ended`)

// pruneSessions checks a part of the list, from a given member on, and removes the members without a row. It returns the last
// member that it checked, or an empty text at the end of the list.
var pruneSessions = redis.NewScript(`
local after, limit, rows = ARGV[1], ARGV[2], ARGV[3]
local members = redis.call('ZRANGEBYLEX', KEYS[1], after, '+', 'LIMIT', 0, limit)
for _, member in ipairs(members) do
	if redis.call('EXISTS', rows .. string.sub(member, 17)) == 0 then redis.call('ZREM', KEYS[1], member) end
end
if #members < tonumber(limit) then return '' end
return members[#members]`)
