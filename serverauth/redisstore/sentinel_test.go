package redisstore_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// The master is killed: the replica is promoted, two servers go on at it without a restart, and what was revoked before stays
// revoked. The old master comes back as a replica, and nobody writes to it.
func TestFailover(t *testing.T) {
	replicated := services.RedisSentinel(t)
	a, b := instance(t, replicated.URL(0)), instance(t, replicated.URL(0))
	ctx := t.Context()
	wallets := make([]*testutil.Wallet, 2)
	sessions := make([]testutil.SignedIn, len(wallets))
	for i := range wallets {
		var err error
		if wallets[i], err = testutil.NewWallet("Ed25519"); err != nil {
			t.Fatal(err)
		}
		if sessions[i], err = testutil.SignIn(ctx, a.URL, wallets[i]); err != nil {
			t.Fatal(err)
		}
	}
	me := func(app *testutil.App, token string) int { return status(testutil.Get(ctx, app.URL+"/me", token, nil)) }
	refresh := func(app *testutil.App, token string) int {
		return status(testutil.Post(ctx, app.URL+serverauth.Prefix+"/refresh", map[string]string{"refresh_token": token}, nil))
	}
	logout := map[string]string{"refresh_token": sessions[0].RefreshToken}
	if err := testutil.Post(ctx, a.URL+serverauth.Prefix+"/logout", logout, nil); err != nil {
		t.Fatal(err)
	}
	master := client(t, replicated.Master.URL())
	// What is written after the revocation is at the replica, so the revocation is too. One that is not is lost with the master.
	if err := master.Set(ctx, "marker", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	replica := client(t, replicated.Replica.URL())
	eventually(t, "the replica has all", func() bool { return replica.Get(ctx, "marker").Val() == "1" })

	replicated.Master.Kill(t)
	signsIn := func(app *testutil.App) func() bool {
		return func() bool { _, err := testutil.SignIn(ctx, app.URL, wallets[1]); return err == nil }
	}
	began := time.Now()
	eventually(t, "a signs in", signsIn(a))
	eventually(t, "b signs in", signsIn(b))
	t.Logf("both sign in %s after the master was killed", time.Since(began))
	for name, app := range map[string]*testutil.App{"a": a, "b": b} {
		eventually(t, name+" is ready", func() bool { return status(testutil.Get(ctx, app.URL+"/readyz", "", nil)) == http.StatusOK })
		if got := me(app, sessions[0].AccessToken); got != http.StatusUnauthorized {
			t.Errorf("%s: a revoked token is answered %d", name, got)
		}
		if got := refresh(app, sessions[0].RefreshToken); got != http.StatusUnauthorized {
			t.Errorf("%s: an ended session is refreshed: %d", name, got)
		}
		if got := me(app, sessions[1].AccessToken); got != http.StatusOK {
			t.Errorf("%s: a valid token is answered %d", name, got)
		}
	}
	if got := refresh(b, sessions[1].RefreshToken); got != http.StatusOK {
		t.Errorf("a session does not outlive the failover: %d", got)
	}
	later, err := testutil.SignIn(ctx, b.URL, wallets[1])
	if err != nil {
		t.Fatal(err)
	}
	end := func() error {
		return testutil.Post(ctx, a.URL+serverauth.Prefix+"/logout", map[string]string{"refresh_token": later.RefreshToken}, nil)
	}
	refused(t, end, func() bool { return me(b, later.AccessToken) == http.StatusUnauthorized })

	replicated.Master.Start(t)
	eventually(t, "the old master is a replica", func() bool {
		return strings.Contains(master.Info(ctx, "replication").Val(), "role:slave")
	})
	for _, app := range []*testutil.App{a, b} {
		if !signsIn(app)() {
			t.Error("no sign-in once the old master is back")
		}
	}
}

// A sentinel that knows no master (any more) is an error at every call: nothing is taken for absent, such as a revocation.
func TestSentinelWithoutMaster(t *testing.T) {
	replicated := services.RedisSentinel(t)
	c := config(t, strings.Replace(replicated.URL(0), services.SentinelMaster, "another", 1))
	if _, err := redisstore.New().Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "no sentinel knows") {
		t.Errorf("got %v", err)
	}
	var dials dialer
	stores := open(t, redisstore.NewWithDialer(dials.dial, 0), config(t, replicated.URL(0)))
	use(t, stores)
	admin := client(t, "redis://:"+replicated.Sentinel.Password()+"@"+replicated.Sentinel.Addr())
	if err := admin.Do(t.Context(), "SENTINEL", "REMOVE", services.SentinelMaster).Err(); err != nil {
		t.Fatal(err)
	}
	dials.cut()
	for name, err := range calls(t.Context(), stores) {
		if err == nil {
			t.Errorf("%s succeeds", name)
		}
	}
	if _, found, err := stores.Sessions.Find(t.Context(), "nobody"); found || err == nil {
		t.Errorf("a session is absent: %v", err)
	}
}

// dialer can end the connections that it has made.
type dialer struct {
	mu   sync.Mutex
	made []net.Conn
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		d.mu.Lock()
		d.made = append(d.made, conn)
		d.mu.Unlock()
	}
	return conn, err
}

func (d *dialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range d.made {
		_ = conn.Close()
	}
}

func eventually(t *testing.T, what string, happens func() bool) {
	t.Helper()
	for began := time.Now(); !happens(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("not after %s: %s", time.Since(began), what)
		}
	}
}
