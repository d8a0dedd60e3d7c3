package postgres_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/testutil/services"
)

// A server whose certificate a private authority signed is trusted with sslrootcert, at the address that the certificate names,
// and with nothing else. All connections are encrypted then, that of the listener too.
func TestPrivateAuthority(t *testing.T) {
	server, authority, another := services.PostgresTLS(t, "fsync=off")
	with := func(host, mode, file string) string {
		u, err := url.Parse(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		query := url.Values{"sslmode": {mode}}
		if file != "" {
			query.Set("sslrootcert", file)
		}
		u.Host, u.RawQuery = host+":"+u.Port(), query.Encode()
		return u.String()
	}
	const named, unnamed = "127.0.0.1", "localhost"
	good := with(named, "verify-full", authority)
	for name, test := range map[string]struct{ url, want string }{
		"its own authority":             {good, ""},
		"its own, any address":          {with(unnamed, "verify-ca", authority), ""},
		"its own, another address":      {with(unnamed, "verify-full", authority), "certificate"},
		"another authority":             {with(named, "verify-full", another), "certificate"},
		"another, any address":          {with(named, "verify-ca", another), "certificate"},
		"the authorities of the system": {with(named, "verify-full", ""), "certificate"},
		"a file that is not there":      {with(named, "verify-full", "/nowhere"), "the URL is not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			stores, err := postgres.New().Open(t.Context(), config(t, test.url, time.Now))
			if err == nil {
				err = stores.Ready(t.Context())
				if errClose := stores.Close(); errClose != nil {
					t.Error(errClose)
				}
			}
			if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), server.Password())) {
				t.Errorf("got %v", err)
			}
		})
	}

	stores := open(t, postgres.New(), good, time.Now)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := stores.Watch(ctx); err != nil { // a listener that begins is told so
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, good)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var all, encrypted int
	const count = `SELECT count(*), count(*) FILTER (WHERE s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'picoauth'`
	if err := conn.QueryRow(ctx, count).Scan(&all, &encrypted); err != nil || all < 2 || encrypted != all {
		t.Errorf("%d of %d connections are encrypted, %v", encrypted, all, err)
	}
}
