package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// database makes calls that are sent once: of a call that fails it is not known whether it happened, and most of them
// must not happen twice.
type database struct{ client redis.UniversalClient }

// do calls a command whose first argument is its key. What is absent is nil.
func (d database) do(ctx context.Context, arguments ...any) (any, error) {
	return do(ctx, d.client, arguments...)
}

// processor is a client or a transaction.
type processor interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}

func do(ctx context.Context, client processor, arguments ...any) (any, error) {
	cmd := redis.NewCmd(ctx, arguments...)
	cmd.SetFirstKeyPos(1)
	_ = client.Process(ctx, once{cmd}) // the command has the error
	return answer(ctx, cmd)
}

// run runs a script, all of whose keys have the same hash tag.
func (d database) run(ctx context.Context, script *redis.Script, keys []string, arguments ...any) (any, error) {
	return answer(ctx, script.Run(ctx, scripter{d.client}, keys, arguments...))
}

func answer(ctx context.Context, cmd *redis.Cmd) (any, error) {
	value, err := cmd.Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return value, failed(ctx, err)
}

// failed says whose error it is, and that of an ended context if that is what is behind it. Errors of Redis and of its
// client never hold arguments of a command.
func failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("redisstore: %w: %w", ended, err)
	}
	return fmt.Errorf("redisstore: %w", err)
}

// once is a command that a client of a cluster does not repeat, unless it was told that another node has the key.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

// scripter is a client that sends scripts once.
type scripter struct{ redis.UniversalClient }

// EvalSha implements redis.Scripter.
func (s scripter) EvalSha(ctx context.Context, sha string, keys []string, arguments ...any) *redis.Cmd {
	return s.eval(ctx, "evalsha", sha, keys, arguments)
}

// Eval implements redis.Scripter.
func (s scripter) Eval(ctx context.Context, script string, keys []string, arguments ...any) *redis.Cmd {
	return s.eval(ctx, "eval", script, keys, arguments)
}

func (s scripter) eval(ctx context.Context, command, script string, keys []string, arguments []any) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(arguments))
	all = append(all, command, script, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	cmd := redis.NewCmd(ctx, append(all, arguments...)...)
	cmd.SetFirstKeyPos(3)
	_ = s.Process(ctx, once{cmd})
	return cmd
}

// texts returns the strings of a list; what is absent in it is left out.
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
