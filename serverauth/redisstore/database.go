package redisstore

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app/redisclient"
	"github.com/picoauth/picoauth/serverauth/store"
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

// pruneBatch is the number of ids of a list that one sweep checks.
const pruneBatch = 1000

// sweeper removes the ids whose rows Redis has removed from a sorted list, a part with each call.
type sweeper struct{ checked atomic.Value } // string: the last member of the list that was checked

// sweep runs a script on the part of the list after the one of the last call. The script gets the beginning and the size of the part
// and the prefix of the rows, and returns the last member of the part, or an empty text at the end of the list.
func (s *sweeper) sweep(ctx context.Context, db database, script *redis.Script, list, rows string) error {
	after, _ := s.checked.Load().(string)
	value, err := db.run(ctx, script, []string{list}, lexAfter(after), pruneBatch, rows)
	if err != nil {
		return err
	}
	last, _ := value.(string)
	s.checked.Store(last)
	return nil
}

// lexAfter is the beginning of a part of a list: after the given member, or with the first one if that is empty.
func lexAfter(member string) string {
	if member == "" {
		return "-"
	}
	return "(" + member
}

// full returns ErrTooManyPending for the error of a Redis without free memory, and any other error unchanged.
func full(err error) error {
	if redis.HasErrorPrefix(err, "OOM") {
		return fmt.Errorf("%w: %w", store.ErrTooManyPending, err)
	}
	return err
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
