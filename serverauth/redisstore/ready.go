package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app/redisclient"
)

// kinds are the kinds of stores and their hash tags.
var kinds = [...]struct{ name, tag string }{
	{"challenges", challengeTag}, {"sessions", sessionTag}, {"revocations", revocationTag}, {"mints", mintTag}, {"keys", keyTag},
	{"links", linkTag}, {"clients", clientTag},
}

// probe writes, reads and removes keys of each type under a name, with the commands that the scripts use. It returns 1 if they
// work, else 0.
var probe = redis.NewScript(`
local text, index, hash = KEYS[1], KEYS[1] .. ':index', KEYS[1] .. ':hash'
redis.call('TIME')
redis.call('SET', text, ARGV[1], 'NX', 'PX', 60000)
redis.call('ZADD', index, 1, ARGV[1])
redis.call('HSET', hash, ARGV[1], 1)
for _, key in ipairs({index, hash}) do redis.call('PEXPIRE', key, 60000) end
local fine = redis.call('GET', text) == ARGV[1] and redis.call('ZRANGEBYSCORE', index, 1, 1)[1] == ARGV[1]
	and redis.call('HGET', hash, ARGV[1]) == '1' and redis.call('PTTL', text) > 0 and redis.call('ZRANGE', index, 0, -1)[1] == ARGV[1]
fine = fine and redis.call('HLEN', hash) == 1
redis.call('HDEL', hash, ARGV[1])
redis.call('ZREM', index, ARGV[1])
redis.call('ZREMRANGEBYSCORE', index, '-inf', 0)
redis.call('DEL', text)
return fine and 1 or 0`)

// probeName is unique, so that probes of several processes do not disturb each other.
var probeName = rand.Text()

// ready writes to every kind of store and names those that fail. So it detects a Redis without free memory, a replica, a cluster
// with a missing node, and a user without the necessary permissions.
func (d database) ready(ctx context.Context) error {
	failures := make([]error, len(kinds))
	var trying sync.WaitGroup
	for i, kind := range kinds {
		trying.Go(func() {
			if err := d.try(ctx, kind.tag); err != nil {
				failures[i] = fmt.Errorf("%s: %w", kind.name, err)
			}
		})
	}
	trying.Wait()
	return errors.Join(failures...)
}

func (d database) try(ctx context.Context, tag string) error {
	name := tag + "ready:" + probeName
	fine, err := d.run(ctx, probe, []string{name}, probeName)
	if err == nil && fine != int64(1) {
		err = errors.New("redisstore: a value that was just written cannot be read")
	}
	if err != nil || tag != keyTag {
		return err
	}
	// The keys are written in a transaction.
	err = d.client.Watch(ctx, func(tx *redis.Tx) error {
		if _, err := redisclient.Do(ctx, tx, "HGETALL", name); err != nil {
			return err
		}
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.HSet(ctx, name, probeName, "")
			p.HDel(ctx, name, probeName)
			return nil
		})
		return err
	}, name)
	return redisclient.Failed(ctx, err)
}

// mayWork returns an error if the user lacks necessary permissions, for example to run scripts. Temporary failures, such as a
// server that is full or loading its data, do not prevent the start.
func (d database) mayWork(ctx context.Context) error {
	for _, kind := range kinds {
		if err := d.try(ctx, kind.tag); forbidden(err) {
			return fmt.Errorf("the Redis user lacks permissions that %s need: allow it to run scripts (+@all ~{picoauth:* &{picoauth:*, "+
				"or at least +eval +evalsha and the commands on strings, hashes, sorted sets and transactions): %w", kind.name, err)
		}
	}
	return nil
}

// forbidden reports whether the user lacks a permission, also inside a script.
func forbidden(err error) bool {
	return redis.HasErrorPrefix(err, "NOPERM") || err != nil && (strings.Contains(err.Error(), "ACL failure in script") ||
		strings.Contains(err.Error(), "user executing the script can't"))
}
