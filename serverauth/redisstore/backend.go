package redisstore

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/picoauth/picoauth/app/redisclient"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Backend opens storage in Redis.
type Backend struct {
	dial      func(ctx context.Context, network, address string) (net.Conn, error) // nil: that of the client library
	heartbeat time.Duration
}

// New returns the backend.
func New() *Backend { return &Backend{heartbeat: heartbeat} }

// Schemes implements store.Backend.
func (*Backend) Schemes() []string { return redisclient.Schemes() }

// CheckURL returns an error for a URL that Open refuses without opening anything.
func (*Backend) CheckURL(url string) error {
	_, err := redisclient.Options(url)
	return err
}

// Open implements store.Backend. The server must answer. Each call opens its own connections.
func (b *Backend) Open(ctx context.Context, c store.BackendConfig) (*store.Stores, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	o, err := redisclient.Options(c.URL)
	if err != nil {
		return nil, err
	}
	o.Dialer = b.dial
	client, err := redisclient.Connect(ctx, o, c.Log)
	if err != nil {
		return nil, err
	}
	db := database{client}
	if err := db.mayWork(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	watch := newWatcher(client, revokedChannel(o.DB), b.heartbeat)
	challenges := newChallenges(db, c)
	return &store.Stores{
		Challenges:  challenges,
		Sessions:    newSessions(db, c),
		Revocations: &revocations{db: db, channel: revokedChannel(o.DB)},
		Mints:       &mints{db: db},
		Links:       &links{db: db},
		Keys:        newKeyStore(db, c),
		Clients:     &clients{db: db, now: c.Clock},
		Used:        &used{db, c.Clock},
		Watch:       watch.wait,
		Refresh:     challenges.refresh,
		Ready:       db.ready,
		Close: func() error {
			watch.close()
			return client.Close()
		},
	}, nil
}

// Hash tags (Redis Cluster), one for each kind of store.
const (
	challengeTag  = "{picoauth:challenges}:"
	sessionTag    = "{picoauth:sessions}:"
	revocationTag = "{picoauth:revocations}:"
	mintTag       = "{picoauth:mints}:"
	keyTag        = "{picoauth:keys}:"
	linkTag       = "{picoauth:links}:"
	clientTag     = "{picoauth:clients}:"
)
