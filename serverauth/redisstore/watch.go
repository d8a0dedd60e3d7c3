package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// heartbeat is the time without a message after which the subscription sends a ping. If there is no answer for the same time,
	// the connection is closed.
	heartbeat      = 5 * time.Second
	reconnectDelay = 100 * time.Millisecond
)

// revokedChannel is the channel on which the number of each commit of revocations is published. Channels are not bound to a
// database, so the name contains its number.
func revokedChannel(database int) string { return fmt.Sprintf("%srevoked:%d", revocationTag, database) }

// watcher listens on a channel, from the first wait until it is closed.
type watcher struct {
	client    redis.UniversalClient
	channel   string
	heartbeat time.Duration
	told      chan struct{} // filled if there was a message, or a new subscription, since the last wait
	start     sync.Once
	closed    context.Context
	stop      context.CancelFunc
	done      sync.WaitGroup
}

func newWatcher(client redis.UniversalClient, channel string, heartbeat time.Duration) *watcher {
	w := &watcher{client: client, channel: channel, heartbeat: heartbeat, told: make(chan struct{}, 1)}
	w.closed, w.stop = context.WithCancel(context.Background())
	return w
}

// wait is the Watch of store.Stores. It also reports what was received between two calls. A new subscription counts as a message,
// because others may have revoked something while there was none.
func (w *watcher) wait(ctx context.Context) error {
	w.start.Do(func() { w.done.Go(w.listen) })
	select {
	case <-w.told:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closed.Done():
		return redis.ErrClosed
	}
}

// close ends the subscription.
func (w *watcher) close() {
	w.start.Do(func() {}) // the subscription does not start any more
	w.stop()
	w.done.Wait()
}

func (w *watcher) listen() {
	for w.closed.Err() == nil {
		w.subscribe()
		select {
		case <-time.After(reconnectDelay):
		case <-w.closed.Done():
		}
	}
}

// subscribe listens until the connection is lost.
func (w *watcher) subscribe() {
	subscription := w.client.Subscribe(w.closed, w.channel)
	stop := context.AfterFunc(w.closed, func() { _ = subscription.Close() }) // makes a running Receive fail
	defer func() {
		if stop() {
			_ = subscription.Close()
		}
	}()
	for asked := false; ; {
		message, err := subscription.ReceiveTimeout(w.closed, w.heartbeat)
		var timeout net.Error
		switch {
		case err == nil:
			asked = false
			if _, isAnswer := message.(*redis.Pong); !isAnswer {
				w.tell()
			}
		case asked || !errors.As(err, &timeout) || !timeout.Timeout():
			return
		default:
			if asked = true; subscription.Ping(w.closed) != nil {
				return
			}
		}
	}
}

func (w *watcher) tell() {
	select {
	case w.told <- struct{}{}:
	default:
	}
}
