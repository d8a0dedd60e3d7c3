package postgres_test

import (
	"context"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

// counted counts the packets that are sent.
type counted struct {
	net.Conn
	sent *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.sent.Add(1)
	return c.Conn.Write(p)
}

// A packet that is sent and answered is a round trip.
func roundTrips(t *testing.T, server *services.Server) {
	var sent atomic.Int64
	backend := postgres.Dialing(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return counted{conn, &sent}, err
	})
	u, err := url.Parse(server.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("pool_max_conns", "1")
	u.RawQuery = query.Encode()
	s := open(t, backend, u.String(), time.Now)
	page, err := s.Revocations.Since(t.Context(), 0, 0, 5000)
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]struct {
		most int64
		do   func() error
	}{
		"challenge": {0, func() error { _, err := s.Challenges.Create(t.Context(), "a", time.Minute); return err }},
		"spend": {1, func() error {
			nonce, _ := s.Challenges.Create(t.Context(), "a", time.Minute)
			_, err := s.Challenges.Validate(t.Context(), "a", nonce)
			return err
		}},
		"create": {1, func() error {
			row := store.Session{ID: time.Now().String(), Subject: store.Subject{ID: "a", WalletID: "b"}, StartedAt: 1}
			_, err := s.Sessions.Create(t.Context(), row)
			return err
		}},
		"rotate": {2, func() error {
			row := store.Session{ID: time.Now().String(), ExpiresAt: 1e15, EndsAt: 1e15}
			if _, err := s.Sessions.Create(t.Context(), row); err != nil {
				return err
			}
			sent.Store(0)
			_, _, err := s.Sessions.Rotate(t.Context(), store.Rotation{SessionID: row.ID, Now: 5, TTL: 5})
			return err
		}},
		"revoke": {1, func() error {
			_, err := s.Revocations.Add(t.Context(), []store.Revocation{{JTI: time.Now().String(), Exp: time.Now().Unix() + 60}})
			return err
		}},
		"end of a subject": {1, func() error { _, err := s.Sessions.EndSubject(t.Context(), []string{"a", "b"}, 5); return err }},
		"denylist":         {1, func() error { _, err := s.Revocations.Since(t.Context(), page.Seq, 0, 5000); return err }},
		"keys":             {1, func() error { _, err := s.Keys.Load(t.Context()); return err }},
	} {
		for range 2 { // the first time the statements are prepared
			sent.Store(0)
			if err := call.do(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if got := sent.Load(); got != call.most {
			t.Errorf("%s: %d round trips, not %d", name, got, call.most)
		}
	}
}
