package redisclient

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Processor is a client or a transaction.
type Processor interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}

// Do calls a command whose second argument is its key. A missing value is nil. The call is sent once: after an error it is
// unknown whether it was executed, and most calls must not be executed twice.
func Do(ctx context.Context, client Processor, arguments ...any) (any, error) {
	cmd := redis.NewCmd(ctx, arguments...)
	cmd.SetFirstKeyPos(1)
	_ = client.Process(ctx, once{cmd}) // the command has the error
	return answer(ctx, cmd)
}

// Run runs a script once. All keys must have the same hash tag.
func Run(ctx context.Context, client redis.UniversalClient, script *redis.Script, keys []string, arguments ...any) (any, error) {
	return answer(ctx, script.Run(ctx, scripter{client}, keys, arguments...))
}

func answer(ctx context.Context, cmd *redis.Cmd) (any, error) {
	value, err := cmd.Result()
	if err == redis.Nil { //nolint:errorlint // when no sentinel knows the master the error wraps this one, and nothing was asked
		return nil, nil
	}
	return value, Failed(ctx, err)
}

// Failed wraps an error of Redis, together with the error of ctx if that has ended. Errors of Redis and of its client never
// contain the arguments of a command.
func Failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("redis: %w: %w", ended, err)
	}
	return fmt.Errorf("redis: %w", err)
}

// once is a command that a cluster client does not repeat, except if another node has the key.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

// scripter is a client that sends each script once.
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
