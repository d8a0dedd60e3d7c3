package redisstore

import "github.com/redis/go-redis/v9"

// indexed returns a script with the functions of an index: a sorted set whose scores are the times at which its members expire, in
// milliseconds of Redis's clock. Adding a member removes the expired ones. The set expires with its last member.
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
