package redisstore

import "github.com/redis/go-redis/v9"

// indexed returns a script that has the functions of an index: a sorted set of members by the time, in milliseconds of
// Redis's own clock, at which each is forgotten. It forgets them whenever it is added to, and ends with the last one.
func indexed(script string) *redis.Script {
	return redis.NewScript(`
local function now()
	local t = redis.call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function remember(index, member, now, ttl)
	local left = redis.call('PTTL', index)
	redis.call('ZADD', index, now + ttl, member)
	if left < ttl then redis.call('PEXPIRE', index, ttl) end
	if left ~= -2 then redis.call('ZREMRANGEBYSCORE', index, '-inf', now) end
end
` + script)
}
