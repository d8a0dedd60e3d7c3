package redisstore

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/picoauth/picoauth/serverauth"
)

// The client's own log goes to standard error, which is for the one line that says why a program does not run, and
// repeats the errors that calls return. A program that wants it has it with redis.SetLogger.
func init() { logging.Disable() }

// Backend opens storage in Redis.
type Backend struct {
	dial      func(ctx context.Context, network, address string) (net.Conn, error) // nil: the client's own
	heartbeat time.Duration
}

// New returns the backend.
func New() *Backend { return &Backend{heartbeat: heartbeat} }

// Schemes implements serverauth.Backend.
func (*Backend) Schemes() []string { return []string{"redis", "rediss"} }

// Open implements serverauth.Backend. The server must answer. Each call makes connections of its own.
func (b *Backend) Open(ctx context.Context, c serverauth.BackendConfig) (*serverauth.Stores, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	o, err := options(c.URL)
	if err != nil {
		return nil, err
	}
	o.Dialer = b.dial
	client, err := connect(ctx, o, c.Log)
	if err != nil {
		return nil, err
	}
	db := database{client}
	watch := newWatcher(client, revokedChannel(o.DB), b.heartbeat)
	return &serverauth.Stores{
		Challenges:  newChallenges(db, c),
		Sessions:    newSessions(db, c),
		Revocations: &revocations{db: db, channel: revokedChannel(o.DB)},
		Mints:       &mints{db: db},
		Keys:        newKeyStore(db, c),
		Watch:       watch.wait,
		Ready:       db.ready,
		Close: func() error {
			watch.close()
			return client.Close()
		},
	}, nil
}

// Hash tags of the kinds of stores.
const (
	challengeTag  = "{picoauth:challenges}:"
	sessionTag    = "{picoauth:sessions}:"
	revocationTag = "{picoauth:revocations}:"
	mintTag       = "{picoauth:mints}:"
	keyTag        = "{picoauth:keys}:"
)

// ready writes for each kind of store, so that a server that is full, or a replica, or a cluster that lacks a node, is not
// taken for one that works.
func (d database) ready(ctx context.Context) error {
	_, err := d.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, tag := range []string{challengeTag, sessionTag, revocationTag, mintTag, keyTag} {
			p.Set(ctx, tag+"ready", "", time.Minute)
		}
		return nil
	})
	return failed(ctx, err)
}
