package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Six services read a long denylist at once, whole: the server's resident memory rises by less than 64 MiB, and each gets
// all of it. With PICOAUTH_LONG=1 it has half a million entries, and a service with clientauth loads it too.
func TestReadersOfALongDenylist(t *testing.T) {
	const readers, secret = 6, "a fleet secret of the tests"
	size := 20_000
	if os.Getenv("PICOAUTH_LONG") == "1" {
		size = 500_000
	}
	path := filepath.Join(t.TempDir(), "picoauth.db")
	fillDenylist(t, path, size)
	p := serve(t, "standalone", "APP__PORT=0", "SERVER_AUTH__STORAGE_URL=sqlite:"+path, "SERVER_AUTH__FLEET_MINT_SECRET="+secret,
		"SERVER_AUTH__KEY_DIR="+t.TempDir(), "SERVER_AUTH__ALGORITHM=EdDSA")
	url := p.url + "/api/v1/auth/revoked-jtis"

	before := p.memory("VmRSS")
	require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.command.Process.Pid), []byte("5"), 0)) // the peak, from here
	began := time.Now()
	var all sync.WaitGroup
	for range readers {
		all.Go(func() { assert.Equal(t, size, countItems(t, url, secret)) })
	}
	all.Wait()
	rise := p.memory("VmHWM") - before
	t.Logf("%d readers of %d entries: %v, from %.0f MiB by %.0f MiB", readers, size, time.Since(began).Round(time.Millisecond), before, rise)
	assert.Less(t, rise, 64.0, "MiB")

	d, err := clientauth.NewRemoteDenylist(clientauth.RemoteDenylistConfig{URL: url, Secret: secret, Timeout: patience})
	require.NoError(t, err)
	began = time.Now()
	require.NoError(t, d.Refresh(t.Context()))
	t.Logf("clientauth loads it in %v", time.Since(began).Round(time.Millisecond))
	for jti, want := range map[string]bool{denylistJTI(0): true, denylistJTI(size - 1): true, denylistJTI(size): false} {
		denied, err := d.Denied(t.Context(), clientauth.TokenRef{ID: jti})
		require.NoError(t, err)
		assert.Equal(t, want, denied, jti)
	}
}

func (p *process) memory(name string) float64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	require.NoError(p.t, err)
	return mebibytes(string(text), name)
}

func denylistJTI(n int) string { return fmt.Sprintf("jti-of-a-revoked-token-%d", n) }

func fillDenylist(t *testing.T, path string, size int) {
	t.Helper()
	ctx, batch := context.Background(), 1000
	stores, err := sqlite.New().Open(ctx, store.BackendConfig{
		URL: "sqlite:" + path, AccessTokenTTL: 15 * time.Minute, ClockSkew: time.Minute, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	for n := 0; n < size; n += batch {
		items := make([]store.Revocation, batch)
		for i := range items {
			items[i] = store.Revocation{JTI: denylistJTI(n + i), RevokedAt: time.Now().Unix(), Reason: "logout", RevokedBy: "issuer", Exp: time.Now().Unix() + 7200}
		}
		_, err := stores.Revocations.Add(ctx, items)
		require.NoError(t, err)
	}
	require.NoError(t, stores.Close())
}

// countItems reads the whole list, one item at a time.
func countItems(t *testing.T, url, secret string) (items int) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if !assert.NoError(t, err) {
		return 0
	}
	request.Header.Set("X-Fleet-Secret", secret)
	response, err := http.DefaultClient.Do(request)
	if !assert.NoError(t, err) {
		return 0
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	for depth := 0; ; {
		token, err := decoder.Token()
		if err == io.EOF {
			return items
		}
		if !assert.NoError(t, err) {
			return 0
		}
		switch token {
		case json.Delim('{'):
			if depth++; depth == 2 {
				items++
			}
		case json.Delim('}'):
			depth--
		}
	}
}
