package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app/redisclient"
)

// database makes calls. Each is sent once.
type database struct{ client redis.UniversalClient }

// do calls a command whose first argument is its key. A missing value is nil.
func (d database) do(ctx context.Context, arguments ...any) (any, error) {
	return redisclient.Do(ctx, d.client, arguments...)
}

// run runs a script, all of whose keys have the same hash tag.
func (d database) run(ctx context.Context, script *redis.Script, keys []string, arguments ...any) (any, error) {
	return redisclient.Run(ctx, d.client, script, keys, arguments...)
}

// texts returns the strings of a list, without the missing ones.
func texts(value any) []string {
	list, _ := value.([]any)
	all := make([]string, 0, len(list))
	for _, item := range list {
		if text, ok := item.(string); ok {
			all = append(all, text)
		}
	}
	return all
}
