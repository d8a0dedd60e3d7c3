package clientauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/app/redisclient"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// Keys in Redis: a sorted set of used proofs by the time at which each is removed, and the key that makes nonces.
const (
	usedProofsKey  = "{picoauth:dpop}:used"
	proofsReadyKey = "{picoauth:dpop}:ready"
	nonceKeyKey    = "{picoauth:dpop}:nonce-key"
	// nonceKeyLife is how long the key is used before it is read again.
	nonceKeyLife = 10 * time.Second
)

// redisProofs is a verify.ProofStore that several instances of a service share. It connects at its first use, so that a service
// can start without Redis.
type redisProofs struct {
	options *redis.UniversalOptions
	limit   int
	margin  time.Duration // by which clocks of instances may differ
	log     *slog.Logger
	connect singleflight.Group

	client atomic.Value // a redis.UniversalClient, once there is one
	key    atomic.Pointer[nonceKey]
}

// nonceKey is the key that makes nonces, as it was at a time.
type nonceKey struct {
	key  []byte
	read time.Time
}

// newRedisProofs returns the store of dpop_storage_url, or nil if that is empty.
func newRedisProofs(s Settings, log *slog.Logger) (*redisProofs, error) {
	if s.DPoPStorageURL == "" {
		return nil, nil
	}
	options, err := redisclient.Options(s.DPoPStorageURL)
	if err != nil {
		return nil, &config.Error{Key: "dpop_storage_url", Reason: err.Error()}
	}
	return &redisProofs{options: options, limit: s.DPoPCacheSize, margin: s.Leeway() + time.Second, log: log}, nil
}

// spendProof uses the clock of Redis. It adds before it removes, because Redis does not stop a script for lack of memory once it
// has written. It returns 1 for a new proof, 0 for a used one, and -1 if the limit is reached.
var spendProof = redis.NewScript(`
local used, id, life, limit = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local known = redis.call('ZSCORE', used, id)
if known and tonumber(known) >= now then return 0 end
if redis.call('ZCOUNT', used, now, '+inf') >= limit then return -1 end
redis.call('ZADD', used, now + life, id)
redis.call('ZREMRANGEBYSCORE', used, '-inf', '(' .. now)
if redis.call('PTTL', used) < life then redis.call('PEXPIRE', used, life) end
return 1`)

// Spend implements verify.ProofStore.
func (p *redisProofs) Spend(ctx context.Context, thumbprint, id string, until, now time.Time) (bool, error) {
	digest := sha256.Sum256([]byte(thumbprint + " " + id))
	result, err := p.run(ctx, spendProof, usedProofsKey, string(digest[:16]), p.life(until.Sub(now)), p.limit)
	switch {
	case err != nil:
		return false, err
	case result == int64(-1):
		return false, fmt.Errorf("%w: %d used proofs are stored, the maximum", verify.ErrProofsUnavailable, p.limit)
	default:
		return result == int64(1), nil
	}
}

// life is the time for which a proof is remembered, in milliseconds. The margin is for instances whose clocks are behind, which
// refuse the proof later.
func (p *redisProofs) life(left time.Duration) int64 { return (max(left, 0) + p.margin).Milliseconds() }

// keyOfNonces stores a key if there is none, and returns the stored one.
var keyOfNonces = redis.NewScript(`
local key = redis.call('GET', KEYS[1])
if not key then
	key = ARGV[1]
	redis.call('SET', KEYS[1], key)
end
return key`)

// NonceKey returns the key with which all instances make nonces.
func (p *redisProofs) NonceKey(ctx context.Context) ([]byte, error) {
	if known := p.key.Load(); known != nil && time.Since(known.read) < nonceKeyLife {
		return known.key, nil
	}
	candidate := make([]byte, sha256.Size)
	rand.Read(candidate) // never fails: crypto/rand ends the program instead
	result, err := p.run(ctx, keyOfNonces, nonceKeyKey, string(candidate))
	if err != nil {
		return nil, err
	}
	text, _ := result.(string)
	if len(text) < sha256.Size {
		return nil, errors.New("clientauth: the key of DPoP nonces in Redis is damaged")
	}
	p.key.Store(&nonceKey{[]byte(text), time.Now()})
	return []byte(text), nil
}

// ready checks that Redis can do what requests need.
func (p *redisProofs) ready(ctx context.Context) error {
	result, err := p.run(ctx, spendProof, proofsReadyKey, rand.Text(), 1, 1_000_000)
	if err == nil && result != int64(1) {
		err = errors.New("clientauth: Redis did not store a test value")
	}
	return err
}

func (p *redisProofs) run(ctx context.Context, script *redis.Script, key string, arguments ...any) (any, error) {
	client, err := p.connected(ctx)
	if err != nil {
		return nil, err
	}
	return redisclient.Run(ctx, client, script, []string{key}, arguments...)
}

// connected returns the client. Requests without a connection share one attempt to connect. Each waits until its context ends.
func (p *redisProofs) connected(ctx context.Context) (redis.UniversalClient, error) {
	if client := p.known(); client != nil {
		return client, nil
	}
	attempt := p.connect.DoChan("", func() (any, error) {
		if client := p.known(); client != nil {
			return client, nil
		}
		client, err := redisclient.Connect(context.WithoutCancel(ctx), p.options, p.log)
		if err != nil {
			return nil, err
		}
		p.client.Store(client)
		return client, nil
	})
	select {
	case done := <-attempt:
		client, _ := done.Val.(redis.UniversalClient)
		return client, done.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *redisProofs) known() redis.UniversalClient {
	client, _ := p.client.Load().(redis.UniversalClient)
	return client
}

func (p *redisProofs) close() error {
	if client := p.known(); client != nil {
		return client.Close()
	}
	return nil
}
